//! The first run: find servers, ask at most two questions, write the configuration, go on. With a URL, and a configuration
//! that is there already: a further server for it.
//!
//! Without a configuration every verb still works: servers are looked for, the best one is taken, and nothing is written.
//! Only a conversation in a terminal, and `krabba onboard`, write a file. Looking takes three seconds at most and neither
//! loads nor wakes a model.
//!
//! A model that counts as hosted is used only at a person's word: they typed its server's URL or key, chose it from a list, or
//! said yes. Looking alone never leads to one.

mod add;
mod choose;
mod config_text;
mod entry;
mod find;
mod question;

use std::io::IsTerminal;

use anyhow::{Result, bail};
use krabba_config::{Loaded, Severity, write_new};
use krabba_local::{Recommendation, Report};

use crate::assemble::Home;
pub(crate) use find::describe_model;
use find::{Found, find, find_at, find_or_ask};
use question::{print_wrapped, somebody_is_there};

/// A server that a person named.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// Where it is.
    pub(crate) url: String,
    /// The variable that holds its key, if they said so.
    pub(crate) key_env: Option<String>,
}

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
    let choice = choose::silently(&found)?;
    Ok(home.load_text(&config_text::config_text(&choice.entry, &choice.fallbacks))?)
}

/// The same for a conversation: a first run on a terminal asks and writes the file.
///
/// # Errors
/// As [`settings`], and when the file cannot be written.
pub(crate) async fn settings_or_first_run(home: &Home) -> Result<Loaded> {
    if home.has_file() || !somebody_is_there() {
        return settings(home).await;
    }
    println!("Welcome to krabba. Looking for model servers on this machine …");
    let found = find_or_ask(home).await?;
    first_run(home, found).await
}

/// `krabba onboard [URL]`.
///
/// # Errors
/// When there is no server, the file cannot be written, or there is a configuration and nothing to add to it.
pub(crate) async fn onboard(home: &Home, named: Option<&Named>) -> Result<Loaded> {
    let is_there = home.location.path.symlink_metadata().is_ok() || (home.has_file() && !home.is_ours());
    let found = match named {
        Some(named) if is_there => return add::add(home, named).await,
        Some(named) => find_at(home, named).await?,
        None if is_there && !home.is_ours() => bail!("{}; `krabba config adopt` makes a copy that krabba edits", add::read_only(home)),
        None if is_there => bail!(
            "{} is there already; `krabba onboard http://192.168.1.20:1234` adds a server to it, `krabba models set` chooses a model",
            home.shown(&home.location.path)
        ),
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
        Some(url) => find_at(home, &Named { url: url.to_owned(), key_env: None }).await?,
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
        config_text::config_text(&choose::for_server(&self.0, report), &[])
    }
}

async fn first_run(home: &Home, found: Found) -> Result<Loaded> {
    let choice = if somebody_is_there() { choose::ask(home, &found)? } else { choose::silently(&found)? };
    let text = config_text::config_text(&choice.entry, &choice.fallbacks);
    let path = home.place.own_file();
    let path = if home.is_ours() { home.location.path.clone() } else { path };
    write_new(&path, &text, &home.surroundings())?;
    println!("Wrote {}.", home.shown(&path));
    match &choice.entry.hosted {
        // Whoever was asked has read it.
        Some(why) if !somebody_is_there() => print_wrapped(&format!("note: {}: {why}", choice.entry.reference())),
        Some(_) | None => println!(),
    }
    Ok(krabba_config::load_file(&path, &home.surroundings()).map_err(crate::assemble::ConfigErrors)?)
}

/// What a person should know before the conversation begins; the rest is for `krabba config validate`.
fn warn(loaded: &Loaded) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    for diagnostic in loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity != Severity::Error) {
        let place = diagnostic.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        let key = diagnostic.key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
        let help = diagnostic.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        eprintln!("{}: {place}{key}{}{help}", diagnostic.severity.name(), diagnostic.message);
    }
}
