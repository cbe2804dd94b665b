//! `krabba`, `krabba chat` and `krabba onboard`: a conversation in this terminal.

use std::io::{IsTerminal, stdin, stdout};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use krabba_agent::{Agent, Change, Deserted, Lane};
use krabba_config::Loaded;
use krabba_route::{Ask, Plan};
use krabba_types::{Residency, SessionId};

use crate::assemble::{Home, World};
use crate::cli::Talk;
use crate::onboard::Named;
use crate::terminal::{Hello, LineHistory, last_exchanges, never_begun, printable_lines, short_name};
use crate::{onboard, terminal};

/// Talks until the person leaves.
pub(crate) async fn run(home: &Home, flags: Talk) -> Result<ExitCode> {
    let loaded = onboard::settings_or_first_run(home).await?;
    talk(home, loaded, flags).await
}

/// `krabba onboard [URL]`: the first run, and on a terminal the first conversation.
pub(crate) async fn after_onboarding(home: &Home, named: Option<&Named>) -> Result<ExitCode> {
    let loaded = onboard::onboard(home, named).await?;
    if stdin().is_terminal() && stdout().is_terminal() {
        return talk(home, loaded, Talk::default()).await;
    }
    Ok(ExitCode::SUCCESS)
}

async fn talk(home: &Home, loaded: Loaded, flags: Talk) -> Result<ExitCode> {
    let world = World::assemble(home, loaded)?;
    world.new_servers()?.iter().for_each(|server| eprintln!("[asking the MCP server {server} what it offers]"));
    let (agent, notices) = world.acting_agent(flags.agent.as_deref(), World::MEETING).await?;
    let lane = match &flags.session_id {
        Some(id) => agent.session(SessionId::new(id)),
        None => agent.new_session(),
    };
    if let Some(text) = &flags.model {
        let reference = world.resolve(text).await?;
        lane.change(Change::Model { reference: Some(reference), profile: None }).await?;
    }
    if let Some(level) = flags.thinking {
        lane.change(Change::Thinking { level: Some(level) }).await?;
    }
    let mut hello = hello(&home.state_dir, &world, &agent, &lane, &flags).await?;
    hello.lines.extend(notices.iter().map(|notice| format!("\n[{notice}]")));
    let deserted = agent.close_deserted(Some(lane.id())).await?;
    let deserted: Vec<String> = deserted.iter().flat_map(left_in_the_middle).collect();
    if terminal::is_one(home) {
        hello.lines.extend(deserted.iter().map(|line| format!("\n[{line}]")));
    } else {
        deserted.iter().for_each(|line| eprintln!("[{}]", printable_lines(line)));
    }
    let talked = terminal::run(home, &world, &agent, lane, hello).await;
    agent.close().await;
    world.close().await;
    talked
}

/// What a person is told of a conversation that a dead process left.
fn left_in_the_middle(Deserted { session, lines }: &Deserted) -> Vec<String> {
    let title = session.title.as_deref().unwrap_or("without words");
    let what = match session.id.asker() {
        Some(asker) => format!("left in the middle by a sub-agent of {asker}: \"{title}\""),
        None => format!("left in the middle: \"{title}\" (krabba chat --session-id {} goes on with it)", session.id),
    };
    std::iter::once(what).chain(lines.iter().cloned()).collect()
}

async fn hello(state_dir: &Path, world: &World, agent: &Agent, lane: &Lane, flags: &Talk) -> Result<Hello> {
    // A proxy on this machine is one only once it has said what it is.
    world.router.look().await;
    let session = lane.view().await?;
    let plan = world.router.plan(&Ask { sticky: session.settings.model, ..Ask::new(agent.id().clone()) });
    let version = env!("CARGO_PKG_VERSION");
    let mut lines = format!("krabba {version} · {} · /help for commands, Ctrl-D leaves", who(&plan));
    let (mut before, mut unsent) = (Vec::new(), Vec::new());
    if let Some(id) = &flags.session_id {
        let events = world.events(lane.id())?;
        before = last_exchanges(&events);
        unsent = never_begun(LineHistory::new(state_dir).typed_in(lane.id()), &events);
        lines.push_str(&match session.turns {
            0 => format!("\na new conversation, kept as {id}"),
            1 => format!("\ngoing on with {id}, 1 message so far"),
            turns => format!("\ngoing on with {id}, {turns} messages so far; the last ones:"),
        });
    }
    Ok(Hello { lines, before, unsent, first: plan.candidates.into_iter().next().map(|candidate| candidate.reference) })
}

/// Who answers, and how far away; or why nobody does.
fn who(plan: &Plan) -> String {
    if let Some(candidate) = plan.candidates.first() {
        let place = match &candidate.residency {
            Residency::Device => "on this machine".to_owned(),
            Residency::Lan => "in your network".to_owned(),
            Residency::Region(code) => format!("hosted, {code}"),
            Residency::Hosted => "hosted".to_owned(),
        };
        return format!("{}/{} ({place})", candidate.reference.provider, short_name(&candidate.reference.model));
    }
    match plan.refused.first() {
        Some(refused) => format!("no model can answer ({}: {})", refused.reference, refused.why),
        None => "no model is configured (krabba models set)".to_owned(),
    }
}
