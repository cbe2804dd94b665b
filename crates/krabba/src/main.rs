//! A private AI agent that lives on your own machine.
//!
//! The binary: the command line ([`cli`]), what each verb does ([`verbs`]), the conversation in a terminal
//! ([`terminal`]), the first run ([`onboard`]), and [`assemble`], where the rooms are put together. Exit codes: 0 done,
//! 1 failed, 2 wrong usage, 78 a configuration that cannot be used.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the program that talks to the person")]

/// Like the standard one, but a reader who is gone (`krabba models list | head`) is no reason to panic.
macro_rules! println {
    () => { $crate::output::write(format_args!("\n")) };
    ($($text:tt)*) => { $crate::output::write(format_args!("{}\n", format_args!($($text)*))) };
}

/// As [`println!`].
macro_rules! print {
    ($($text:tt)*) => { $crate::output::write(format_args!($($text)*)) };
}

/// As [`println!`], for standard error.
macro_rules! eprintln {
    ($($text:tt)*) => { $crate::output::complain(format_args!("{}\n", format_args!($($text)*))) };
}

/// As [`eprintln!`].
macro_rules! eprint {
    ($($text:tt)*) => { $crate::output::complain(format_args!($($text)*)) };
}

mod assemble;
mod cli;
mod failure;
mod onboard;
mod output;
mod terminal;
mod verbs;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::cli::Cli;
use crate::failure::Reader;

fn main() -> ExitCode {
    // krabba starts itself again to make sandboxes.
    if let Some(code) = krabba_sandbox::launcher_main() {
        return code;
    }
    let matches = Cli::command().get_matches();
    let reader = if cli::wants_json(&matches) { Reader::Program } else { Reader::Person };
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // One thread is enough: a person waits for one model. Work that waits for the disk has threads of its own.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&anyhow::Error::new(error).context("no runtime"), reader),
    };
    let done = runtime.block_on(verbs::run(cli));
    // Every task was ended and waited for by its owner. Waiting for idle threads too costs milliseconds on a busy machine.
    runtime.shutdown_background();
    done.unwrap_or_else(|error| failure::report(&error, reader))
}
