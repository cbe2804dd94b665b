//! `krabba agent --message TEXT`: one turn, for scripts and for the impatient.
//!
//! Into a pipe, the answer is printed once it is whole, so that a fallback's answer is never glued to the half of
//! another. On a terminal it streams. Everything that is not the answer goes to standard error.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use krabba_agent::{Input, Outcome, TurnEnd, TurnEvent, TurnHandle};
use krabba_command::{FileAccess, read_image};
use krabba_types::{Part, SessionId};
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::assemble::{Home, World};
use crate::cli::Ask;
use crate::terminal::{acted_line, circumstances, from_elsewhere, printable_lines, unverified};
use crate::{failure, onboard};

/// Runs one turn.
pub(crate) async fn run(home: &Home, flags: Ask) -> Result<ExitCode> {
    let text = message(&flags.message)?;
    // Several lines of standard input are a text to work on, as a pasted one is.
    let pasted = if flags.message == "-" && text.trim().contains('\n') { vec![text.clone()] } else { Vec::new() };
    let mut parts = vec![Part::Text(text)];
    for file in &flags.image {
        let access = FileAccess::Owner { home: Some(home.place.home.clone()) };
        parts.push(Part::Image(read_image(&file.to_string_lossy(), &access).await?));
    }
    let loaded = onboard::settings(home).await?;
    let world = World::assemble(home, loaded)?;
    world.new_servers()?.iter().for_each(|server| eprintln!("[asking the MCP server {server} what it offers]"));
    let (agent, notices) = world.acting_agent(flags.talk.agent.as_deref(), World::WHOLE).await?;
    notices.iter().for_each(|notice| eprintln!("[{notice}]"));
    let lane = match &flags.talk.session_id {
        Some(id) => agent.session(SessionId::new(id)),
        None => agent.new_session(),
    };
    let model = match &flags.talk.model {
        Some(text) => Some(world.resolve(text).await?),
        None => None,
    };
    let thinking = flags.talk.thinking;
    let input = Input { circumstances: Some(circumstances()), pasted, model, thinking, ..Input::parts(parts) };

    let mut endings = Endings::new()?;
    let mut turn = lane.turn(input);
    let show = if flags.output.json { Show::Nothing } else { Show::of_stdout() };
    let limit = flags.timeout.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    let end = follow(&mut turn, &mut endings, show, limit).await?;
    let code = if flags.output.json { print_json(&end)? } else { print_plain(&end, show)? };
    agent.close().await;
    world.news()?.iter().for_each(|notice| eprintln!("[{notice}]"));
    world.close().await;
    Ok(code)
}

/// The text of `--message`; `-` is standard input.
fn message(text: &str) -> Result<String> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut all = String::new();
    std::io::stdin().read_to_string(&mut all).context("standard input could not be read")?;
    Ok(all)
}

/// How much is shown while the answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Show {
    /// Nothing: a program reads the end.
    Nothing,
    /// Notices, on standard error.
    Notices,
    /// The answer as it comes, too.
    Stream,
}

impl Show {
    fn of_stdout() -> Self {
        if std::io::stdout().is_terminal() { Self::Stream } else { Self::Notices }
    }
}

/// What a person, a closed terminal or a service manager ends a program with. Taken as a wish to stop: the answer so far is kept,
/// and a server that was started for it is not left behind.
struct Endings([Signal; 3]);

impl Endings {
    fn new() -> Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Follows the turn to its end. Signals and the time limit stop it; its end still comes.
async fn follow(turn: &mut TurnHandle, endings: &mut Endings, show: Show, limit: Option<Duration>) -> Result<TurnEnd> {
    let deadline = limit.and_then(|limit| tokio::time::Instant::now().checked_add(limit));
    let stop = turn.stopper();
    let mut column = 0;
    loop {
        let event = tokio::select! {
            event = turn.events.recv() => event.context("the turn ended without saying how")?,
            () = expired(deadline), if !stop.is_cancelled() => {
                eprintln!("krabba: stopped after {} s, as --timeout says", limit.unwrap_or_default().as_secs());
                stop.cancel();
                continue;
            }
            () = endings.next(), if !stop.is_cancelled() => {
                stop.cancel();
                continue;
            }
        };
        match event {
            TurnEvent::Text(text) if show == Show::Stream => {
                let clean = printable_lines(&text);
                print!("{clean}");
                std::io::stdout().flush()?;
                column = if clean.ends_with('\n') { 0 } else { 1 };
            }
            TurnEvent::Restarted { why } if show == Show::Stream => {
                println!();
                eprintln!("[the text above does not count: {why}]");
                column = 0;
            }
            TurnEvent::Notice(line) | TurnEvent::Restarted { why: line } if show != Show::Nothing => {
                if column > 0 {
                    println!();
                    column = 0;
                }
                eprintln!("[{line}]");
            }
            TurnEvent::Ended(end) => return Ok(*end),
            TurnEvent::Acted(acted) if show != Show::Nothing => {
                if column > 0 {
                    println!();
                    column = 0;
                }
                eprintln!("[{}]", acted_line(&acted));
            }
            TurnEvent::Asked(question) => eprintln!("{}", from_elsewhere(&question)),
            TurnEvent::Status(_)
            | TurnEvent::Text(_)
            | TurnEvent::Reasoning(_)
            | TurnEvent::Restarted { .. }
            | TurnEvent::Notice(_)
            | TurnEvent::Output(_)
            | TurnEvent::Acted(_) => {}
        }
    }
}

async fn expired(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn print_plain(end: &TurnEnd, show: Show) -> Result<ExitCode> {
    match (&end.outcome, show) {
        (Outcome::Answered(_), Show::Stream) => println!(),
        (Outcome::Answered(_), Show::Notices | Show::Nothing) => {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", end.text)?;
        }
        (Outcome::Failed(fault), _) => eprintln!("krabba: {fault}"),
        (Outcome::Stopped | Outcome::Steered, _) => eprintln!("krabba: stopped"),
        (Outcome::Interrupted, _) => eprintln!("krabba: interrupted"),
        (Outcome::Broken(why), _) => eprintln!("krabba: {why}"),
    }
    // Standard output is the answer and nothing else.
    if let Some(line) = unverified(&end.unverified) {
        eprintln!("[{}]", printable_lines(&line));
    }
    Ok(code(end))
}

fn code(end: &TurnEnd) -> ExitCode {
    if end.outcome.is_answer() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The answer; marked where content had a hand in it that nobody vouches for.
fn payload(end: &TurnEnd) -> Value {
    if end.unverified.is_empty() { json!({ "text": end.text }) } else { json!({ "text": end.text, "unverified": end.unverified }) }
}

/// OpenClaw's shape, with what it does not tell added beside it.
fn print_json(end: &TurnEnd) -> Result<ExitCode> {
    let (status, error) = match &end.outcome {
        Outcome::Answered(_) => ("ok", Value::Null),
        Outcome::Failed(fault) => ("error", failure::fault(fault.kind.name(), &fault.message)),
        Outcome::Stopped | Outcome::Steered => ("stopped", Value::Null),
        Outcome::Interrupted => ("interrupted", Value::Null),
        Outcome::Broken(why) => ("error", failure::fault("broken", why)),
    };
    let payloads = if end.text.is_empty() { json!([]) } else { json!([payload(end)]) };
    let model = end.model.as_ref().or(end.answered.as_ref().map(|answered| &answered.model));
    let usage = &end.usage;
    let mut shape = json!({
        "runId": end.turn,
        "status": status,
        "result": {
            "payloads": payloads,
            "meta": {
                "durationMs": end.timing.total_ms,
                "agentMeta": {
                    "sessionId": end.session,
                    "provider": end.answered.as_ref().map(|answered| &answered.provider),
                    "model": model,
                    "usage": {
                        "input": usage.prompt_tokens,
                        "output": usage.output_tokens,
                        "cacheRead": usage.cached_tokens,
                        "total": usage.prompt_tokens.zip(usage.output_tokens).map(|(input, output)| input + output),
                    },
                },
            },
        },
        "attempts": end.attempts,
        "timing": end.timing,
        "context": end.context,
    });
    if let (Some(object), false) = (shape.as_object_mut(), error.is_null()) {
        object.insert("error".to_owned(), error);
    }
    println!("{}", serde_json::to_string_pretty(&shape)?);
    Ok(code(end))
}
