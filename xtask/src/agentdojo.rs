//! AgentDojo, offline, against the program as it is shipped, with a model that obeys every injection (`xtask/agentdojo`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{shell, tools};

const AGENTDOJO: &str = "0.1.35";
const MCP: &str = "2.3.0";

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything, with the program as it is released. About half an hour on two cores.
    All,
    /// A fixed tenth, with the program that the tests were run on.
    Tenth,
}

#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
}

/// Runs it, and fails when a bar is missed.
pub(crate) fn run(root: &Path, part: Part) -> Result<()> {
    let packages = [format!("agentdojo=={AGENTDOJO}"), format!("mcp=={MCP}")];
    let environment = tools::python_environment(&format!("agentdojo-{AGENTDOJO}"), &packages.each_ref().map(String::as_str))?;
    let (profile, name) = match part {
        Part::All => ("release", "all"),
        Part::Tenth => ("debug", "tenth"),
    };
    if part == Part::All {
        shell::run(Command::new("cargo").current_dir(root).args(["build", "--quiet", "--release", "--package", "krabba"]))?;
    }
    shell::say(&format!("AgentDojo: {name}"));
    let output = Command::new("cargo").current_dir(root).args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let Metadata { target_directory } = serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    let script = root.join("xtask/agentdojo/dojo.py");
    // No byte code is left beside the sources.
    let mut dojo = Command::new(environment.join("bin/python"));
    dojo.arg("-B").arg(script).args(["--part", name, "--krabba"]).arg(target_directory.join(profile).join("krabba"));
    shell::run(&mut dojo)
}
