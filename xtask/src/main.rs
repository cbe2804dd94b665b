//! Repository chores.
//!
//! `cargo xtask test` is the one command that proves the repository: it checks the shape of the code
//! ([`tidy`]), lints it, installs what the tests need from outside ([`tools`], [`servers`]) into a cache outside
//! the checkout, and runs everything. Each chore is a module with one `run` function.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who started it")]
#![allow(clippy::disallowed_methods, reason = "chores are made of other programs, each waited for where it is started")]

mod agentdojo;
mod cache;
mod calls;
mod docs;
mod fuzz;
mod servers;
mod shell;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask <chore>

  test            everything: tidy, clippy, cargo-deny, the real servers, all tests
  tidy [--bless]  dependency table, size limits, generated docs (--bless writes them)
  agentdojo       attacks of AgentDojo on the program, all of them (about half an hour); test runs a tenth
  servers         build or install the real servers that tests talk to, and nothing else
  calls [SEED]    hold a model of noise on a real server to the form of tool calls, and print how many are valid
  fuzz [SECONDS]  run every fuzz target, one minute each unless told otherwise";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    let root = shell::repository_root()?;
    match words {
        ["test", rest @ ..] => test::run(&root, rest),
        ["tidy"] => tidy::run(&root, docs::Mode::Check),
        ["tidy", "--bless"] => tidy::run(&root, docs::Mode::Bless),
        ["agentdojo"] => agentdojo::run(&root, agentdojo::Part::All),
        ["servers"] => servers::prepare().map(|_| ()),
        ["calls"] => calls::run(&root, "4711"),
        ["calls", seed] => calls::run(&root, seed),
        ["fuzz"] => fuzz::run(&root, 60),
        ["fuzz", seconds] => fuzz::run(&root, seconds.parse()?),
        _ => bail!("{USAGE}"),
    }
}
