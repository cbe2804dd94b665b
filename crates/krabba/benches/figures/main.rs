//! `cargo bench`: what krabba costs, beside what it is compared with.
//!
//! Everything is measured over loopback against a scripted server in a process of its own, in turns with a bare client in
//! the same run, so that a busy machine slows both alike. A figure is a median; the table at the end shows it beside its
//! goal. Nothing is asserted: whether a figure is good is for the reader to say.
//!
//! `cargo bench -- tokens process` runs the groups with these names only. The groups:
//!
//! | group | file | question |
//! |---|---|---|
//! | `tokens` | [`tokens`] | how much later comes the first token, and each one after it? |
//! | `streams` | [`streams`] | what does a token cost when 256 answers stream at once? |
//! | `process` | [`process`] | how long does a whole `krabba agent` take, and how much memory? |
//! | `stop` | [`stop`] | how long does a stop take, until nothing goes on any more? |
//! | `config` | [`config`] | how much longer than its parser takes a large configuration? |
//!
//! The program starts itself again in other roles: as the server ([`server`]), as a bare client ([`bare`]), and as the parent
//! of a program whose memory is measured ([`process`]).

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its figures")]
#![allow(clippy::disallowed_methods, reason = "a bench starts the programs that it measures, and waits for each")]

mod bare;
mod config;
mod process;
mod route;
mod samples;
mod server;
mod stop;
mod streams;
mod table;
mod tokens;

use std::process::ExitCode;

use anyhow::Result;

use crate::table::Table;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [server::ROLE, script] => server::serve(script),
        [bare::ROLE, url] => bare::ask_once(url),
        [process::PARENT_ROLE, program @ ..] => process::parent(program),
        // cargo adds `--bench`.
        groups => figures(&groups.iter().copied().filter(|word| !word.starts_with("--")).collect::<Vec<_>>()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("figures: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn figures(groups: &[&str]) -> Result<()> {
    let wanted = |name: &str| groups.is_empty() || groups.contains(&name);
    let mut table = Table::default();
    if wanted("tokens") {
        tokens::measure(&mut table)?;
    }
    if wanted("streams") {
        streams::measure(&mut table)?;
    }
    if wanted("process") {
        process::measure(&mut table)?;
    }
    if wanted("stop") {
        stop::measure(&mut table)?;
    }
    if wanted("config") {
        config::measure(&mut table)?;
    }
    println!("{table}");
    Ok(())
}
