//! The first run: find servers, ask at most two questions, write the configuration, go on.
//!
//! Without a configuration every verb still works: servers are looked for, the best one is taken, and nothing is written.
//! Only a conversation in a terminal, and `krabba onboard`, write a file. Looking takes three seconds at most and neither
//! loads nor wakes a model.

mod choose;
mod config_text;
mod find;

use std::io::{IsTerminal, stdin, stdout};

use anyhow::{Result, bail};
use krabba_config::{Loaded, Severity, write_new};
use krabba_local::{Recommendation, Report};

use crate::assemble::Home;
pub(crate) use find::describe_model;
use find::{Found, find, find_at, find_or_ask};

/// The settings in force: the file's, or, without one, those that a first run would write.
///
/// # Errors
/// When the file has errors, or when there is neither a file nor a server.
pub(crate) async fn settings(home: &Home) -> Result<Loaded> {
    if home.has_file() {
        let loaded = home.load()?;
        warn(&loaded);
        return Ok(loaded);
    }
    let found = find(home).await?;
    let choice = choose::silently(home, &found)?;
    Ok(home.load_text(&config_text::config_text(&choice))?)
}

/// The same for a conversation: a first run on a terminal asks and writes the file.
///
/// # Errors
/// As [`settings`], and when the file cannot be written.
pub(crate) async fn settings_or_first_run(home: &Home) -> Result<Loaded> {
    if home.has_file() || !stdin().is_terminal() || !stdout().is_terminal() {
        return settings(home).await;
    }
    println!("Welcome to krabba. Looking for model servers on this machine …");
    let found = find_or_ask(home).await?;
    first_run(home, found).await
}

/// `krabba onboard [URL]`.
///
/// # Errors
/// When there is a configuration already, no server, or the file cannot be written.
pub(crate) async fn onboard(home: &Home, url: Option<&str>) -> Result<Loaded> {
    if home.location.path.exists() && home.is_ours() {
        bail!(
            "{} is there already; change it with `krabba config set`, choose a model with `krabba models set`, or move it away first",
            home.shown(&home.location.path)
        );
    }
    if home.has_file() && !home.is_ours() {
        bail!(
            "the configuration in use is OpenClaw's {}; a new one would stand before it. `krabba config adopt` makes a copy that krabba edits",
            home.shown(&home.location.path)
        );
    }
    let found = match url {
        Some(url) => find_at(url).await?,
        None => {
            println!("Looking for model servers on this machine …");
            find_or_ask(home).await?
        }
    };
    first_run(home, found).await
}

/// What is in reach, for `krabba models scan`.
pub(crate) struct Looked(Found);

/// Looks on this machine, or at a URL.
///
/// # Errors
/// When there is no usable server.
pub(crate) async fn look(home: &Home, url: Option<&str>) -> Result<Looked> {
    Ok(Looked(match url {
        Some(url) => find_at(url).await?,
        None => find(home).await?,
    }))
}

impl Looked {
    /// What each server says about itself.
    pub(crate) fn reports(&self) -> &[Report] {
        &self.0.reports
    }

    /// The model to begin with.
    pub(crate) fn recommended(&self) -> &Recommendation {
        &self.0.recommendation
    }

    /// The configuration that a first run with this server would write.
    pub(crate) fn settings_for(&self, report: &Report) -> String {
        config_text::config_text(&choose::for_server(&self.0, report))
    }
}

async fn first_run(home: &Home, found: Found) -> Result<Loaded> {
    let choice = if stdin().is_terminal() && stdout().is_terminal() { choose::ask(home, &found)? } else { choose::silently(home, &found)? };
    let text = config_text::config_text(&choice);
    let path = home.place.own_file();
    let path = if home.is_ours() { home.location.path.clone() } else { path };
    write_new(&path, &text, &home.surroundings())?;
    println!("Wrote {}.\n", home.shown(&path));
    Ok(krabba_config::load_file(&path, &home.surroundings()).map_err(crate::assemble::ConfigErrors)?)
}

/// What a person should know before the conversation begins; the rest is for `krabba config validate`.
fn warn(loaded: &Loaded) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    for diagnostic in loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity != Severity::Error) {
        let place = diagnostic.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        let help = diagnostic.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        eprintln!("{}: {place}{}{help}", diagnostic.severity.name(), diagnostic.message);
    }
}
