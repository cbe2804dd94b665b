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
mod onboard;
mod output;
mod terminal;
mod verbs;

use std::process::ExitCode;

use clap::Parser;
use krabba_config::{Paint, render};

use crate::assemble::{ConfigErrors, Forbidden};

/// sysexits.h `EX_CONFIG`; service managers are told not to restart on it.
pub(crate) const CONFIG_ERROR: u8 = 78;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    // One thread is enough: a person waits for one model. Work that waits for the disk has threads of its own.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("krabba: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(verbs::run(cli));
    // Every task was ended and waited for by its owner. Waiting for idle threads too costs milliseconds on a busy machine.
    runtime.shutdown_background();
    match done {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(ConfigErrors(diagnostics)) = error.downcast_ref() {
        eprint!("{}", render(diagnostics, Paint::Plain));
        return ExitCode::from(CONFIG_ERROR);
    }
    if let Some(forbidden) = error.downcast_ref::<Forbidden>() {
        eprintln!("krabba: {forbidden}");
        return ExitCode::from(CONFIG_ERROR);
    }
    // A closed pipe is how `krabba … | head` ends.
    if error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)) {
        return ExitCode::SUCCESS;
    }
    eprintln!("krabba: {}", words(error));
    ExitCode::FAILURE
}

/// The error with its causes, without those whose words an error above them has said already.
pub(crate) fn words(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| {
        if said.is_empty() {
            cause
        } else if said.contains(&cause) {
            said
        } else {
            format!("{said}: {cause}")
        }
    })
}
