//! A conversation without a terminal: a message a line on standard input, answers on standard output.

use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use krabba_agent::{Agent, Input, Lane, Outcome, TurnEvent};
use krabba_command::{Effect, FileAccess};
use krabba_types::{Clock, Part, SystemClock};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::approval::{acted_line, from_elsewhere};
use super::circumstances;
use super::compacting::compact_now;
use super::footer::unverified;
use super::style::printable_lines;
use crate::assemble::{Home, World};

/// Answers every line until the input ends.
///
/// The exit code is that of a failure when any message was left without its answer.
pub(super) async fn run(home: &Home, world: &World, agent: &Agent, mut lane: Lane) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let files = FileAccess::Owner { home: Some(home.place.home.clone()) };
    let router = Arc::clone(&world.router);
    let mut attached = Vec::new();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.context("standard input could not be read")? {
        if line.trim().is_empty() {
            continue;
        }
        let context = krabba_command::Context { agent, router: &router, lane: &lane, files: &files, now: SystemClock.now() };
        let mut input = Some(Input::text(line.clone()));
        if let Some(reply) = krabba_command::run(&line, &context).await {
            if !reply.text.is_empty() {
                println!("{}", printable_lines(&reply.text));
            }
            input = match reply.effect {
                Effect::None | Effect::ShowReasoning(_) | Effect::Stop => None,
                Effect::Compact => {
                    println!("{}", printable_lines(&compact_now(&lane).await));
                    None
                }
                Effect::Attach(image) => {
                    attached.push(image);
                    None
                }
                Effect::Ask(input) => Some(*input),
                Effect::NewSession { session, message } => {
                    lane = agent.session(session);
                    message.map(Input::text)
                }
                Effect::Quit => return Ok(code),
            };
        }
        if let Some(mut input) = input {
            input.parts.extend(std::mem::take(&mut attached).into_iter().map(Part::Image));
            if !answer(&lane, Input { circumstances: Some(circumstances()), ..input }).await? {
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// One turn; the answer is printed once it is whole, because a pipe cannot take anything back. Says whether there was one.
async fn answer(lane: &Lane, input: Input) -> Result<bool> {
    let mut turn = lane.turn(input);
    let mut answered = false;
    while let Some(event) = turn.events.recv().await {
        match event {
            TurnEvent::Notice(line) | TurnEvent::Restarted { why: line } => eprintln!("[{line}]"),
            TurnEvent::Acted(acted) => eprintln!("[{}]", acted_line(&acted)),
            TurnEvent::Asked(question) => eprintln!("{}", from_elsewhere(&question)),
            TurnEvent::Ended(end) => {
                let mut out = std::io::stdout().lock();
                if !end.text.is_empty() {
                    // A pipe gets the bytes as they are, a terminal nothing that could take it over.
                    let text = if stdout().is_terminal() { printable_lines(&end.text) } else { end.text.clone() };
                    writeln!(out, "{text}")?;
                }
                if let Some(line) = unverified(&end.unverified) {
                    eprintln!("[{}]", printable_lines(&line));
                }
                answered = end.outcome.is_answer();
                match &end.outcome {
                    Outcome::Failed(fault) => eprintln!("krabba: {fault}"),
                    Outcome::Broken(why) => eprintln!("krabba: {why}"),
                    Outcome::Answered(_) | Outcome::Stopped | Outcome::Steered | Outcome::Interrupted => {}
                }
            }
            TurnEvent::Status(_) | TurnEvent::Text(_) | TurnEvent::Reasoning(_) | TurnEvent::Output(_) => {}
        }
    }
    Ok(answered)
}
