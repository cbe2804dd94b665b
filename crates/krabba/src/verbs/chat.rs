//! `krabba` and `krabba chat`: a conversation in this terminal.

use std::process::ExitCode;

use anyhow::Result;
use krabba_agent::Change;
use krabba_route::Ask;
use krabba_types::SessionId;

use crate::assemble::{Home, World};
use crate::cli::Talk;
use crate::{onboard, terminal};

/// Talks until the person leaves.
pub(crate) async fn run(home: &Home, flags: Talk) -> Result<ExitCode> {
    let loaded = onboard::settings_or_first_run(home).await?;
    let world = World::assemble(home, loaded)?;
    let agent = world.agent(flags.agent.as_deref())?;
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
    let ask = Ask { sticky: lane.view().await?.settings.model, ..Ask::new(agent.id().clone()) };
    let first = world.router.plan(&ask).candidates.into_iter().next();
    let who = first.map_or_else(|| "no model".to_owned(), |candidate| format!("{} ({})", candidate.reference, candidate.residency));
    let hello = format!("krabba {} · {who} · /help for commands, Ctrl-D leaves", env!("CARGO_PKG_VERSION"));
    let talked = terminal::run(home, &world, &agent, lane, &hello).await;
    agent.close().await;
    world.close().await;
    talked.map(|()| ExitCode::SUCCESS)
}
