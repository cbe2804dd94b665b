//! `cargo xtask test`: everything that must hold before a change lands.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::agentdojo::{self, Part};
use crate::docs::Mode;
use crate::{servers, shell, tidy, tools};

/// Runs all checks, then all tests, then a tenth of AgentDojo. `filter` is passed to nextest (`cargo xtask test cut_stream`).
pub(crate) fn run(root: &Path, filter: &[&str]) -> Result<()> {
    tidy::run(root, Mode::Check)?;

    shell::say("clippy");
    shell::run(Command::new("cargo").current_dir(root).args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;

    let deny = tools::cargo_deny()?;
    shell::say("cargo-deny: bans, licences, sources");
    shell::run(Command::new(deny).current_dir(root).args(["--log-level", "error", "check", "bans", "licenses", "sources"]))?;

    servers::prepare()?;
    tools::bubblewrap()?;

    let nextest = tools::cargo_nextest()?;
    shell::say("tests");
    shell::run(Command::new(nextest).current_dir(root).args(["nextest", "run", "--workspace", "--no-tests", "fail"]).args(filter))?;
    if filter.iter().all(|word| word.starts_with('-')) {
        agentdojo::run(root, Part::Tenth)?;
    }
    shell::say("all green");
    Ok(())
}
