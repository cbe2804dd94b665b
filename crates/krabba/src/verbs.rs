//! What each verb does. Every verb is a module with one `run` that reads its flags, does its work and says how it ended.

mod ask;
mod chat;

use std::process::ExitCode;

use anyhow::Result;

use crate::assemble::Home;
use crate::cli::{Cli, Talk, Verb};
use crate::onboard;

/// Runs the verb of the command line.
pub(crate) async fn run(cli: Cli) -> Result<ExitCode> {
    let home = Home::find(&cli.place)?;
    match cli.verb {
        None => chat::run(&home, Talk::default()).await,
        Some(Verb::Chat(flags)) => chat::run(&home, flags).await,
        Some(Verb::Agent(flags)) => ask::run(&home, flags).await,
        Some(Verb::Onboard { url }) => onboard::onboard(&home, url.as_deref()).await.map(|()| ExitCode::SUCCESS),
        _ => Ok(ExitCode::FAILURE),
    }
}
