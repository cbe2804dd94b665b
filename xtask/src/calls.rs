//! `cargo xtask calls`: a model of noise on a real server, held to the form of tool calls. The figures are those of a test that runs
//! with all others; here they are printed, for any seed.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::{servers, shell};

/// Draws schemas from `seed` and prints how many calls were valid.
pub(crate) fn run(root: &Path, seed: &str) -> Result<()> {
    servers::prepare()?;
    shell::run(Command::new("cargo").current_dir(root).env("KRABBA_SEED", seed).args([
        "test",
        "--quiet",
        "--package",
        "krabba-llm",
        "--test",
        "constrained",
        "--",
        "--nocapture",
        "noise",
    ]))
}
