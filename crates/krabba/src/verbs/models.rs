//! `krabba models …`

mod calling;
mod change;
mod list;
mod probe;
mod scan;
mod status;

pub(crate) use change::set_default;

use std::process::ExitCode;

use anyhow::Result;
use krabba_config::{Loaded, Paint, render};

use crate::assemble::Home;
use crate::cli::{ModelsVerb, Output};
use crate::failure::CONFIG_ERROR;
use crate::onboard;

/// Lists, judges and chooses models.
pub(crate) async fn run(home: &Home, verb: Option<ModelsVerb>) -> Result<ExitCode> {
    match verb {
        None => status::run(home, status::Wish::default()).await,
        Some(ModelsVerb::List { all, local, provider, output, plain }) => {
            list::run(home, list::Wish { all, local, provider, form: Form::of(output, plain) }).await
        }
        Some(ModelsVerb::Status { probe, check, output, plain }) => {
            status::run(home, status::Wish { probe, check, form: Form::of(output, plain) }).await
        }
        Some(ModelsVerb::Set { reference }) => change::set_default(home, &reference).await,
        Some(ModelsVerb::Aliases { verb }) => change::aliases(home, verb).await,
        Some(ModelsVerb::Fallbacks { verb }) => change::fallbacks(home, verb).await,
        Some(ModelsVerb::Scan { url, probe, output }) => scan::run(home, url, probe, output).await,
    }
}

/// The settings for a listing, and the exit code when nothing else goes wrong: an entry with errors is told of on standard
/// error, left out, and hides no other.
async fn settings(home: &Home) -> Result<(Loaded, ExitCode)> {
    if home.has_file() {
        let loaded = home.read()?;
        if loaded.diagnostics.has_errors() {
            eprint!("{}", render(&loaded.diagnostics, Paint::Plain));
            return Ok((loaded, ExitCode::from(CONFIG_ERROR)));
        }
    }
    Ok((onboard::settings(home).await?, ExitCode::SUCCESS))
}

/// How a listing is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// For people.
    #[default]
    Table,
    /// For programs, with OpenClaw's field names.
    Json,
    /// One reference a line.
    Plain,
}

impl Form {
    fn of(output: Output, plain: bool) -> Self {
        match (output.json, plain) {
            (true, _) => Self::Json,
            (false, true) => Self::Plain,
            (false, false) => Self::Table,
        }
    }
}
