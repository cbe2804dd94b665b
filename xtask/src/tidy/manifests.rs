//! Which room may know which.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

/// The rooms in their order, each with the rooms that it may depend on. A room depends only on rooms above it, and on
/// those alone that it needs; a new line here is a decision about the design.
const ROOMS: [(&str, &[&str]); 20] = [
    ("krabba-types", &[]),
    ("krabba-config", &["types"]),
    ("krabba-store", &["types"]),
    ("krabba-dialect", &["types"]),
    ("krabba-markup", &["types"]),
    ("krabba-redact", &["types"]),
    ("krabba-net", &["types"]),
    ("krabba-llm", &["types", "dialect", "markup", "redact", "net"]),
    ("krabba-local", &["types", "net"]),
    ("krabba-route", &["types", "store", "net", "llm", "local"]),
    ("krabba-context", &["types", "markup"]),
    ("krabba-guard", &["types", "store", "redact"]),
    ("krabba-sandbox", &["types", "net", "guard"]),
    ("krabba-tool", &["types", "guard"]),
    ("krabba-tools", &["types", "store", "redact", "net", "guard", "sandbox", "tool"]),
    ("krabba-mcp", &["types", "store", "net", "guard", "sandbox", "tool"]),
    ("krabba-agent", &["types", "store", "markup", "redact", "route", "context", "guard", "tool"]),
    ("krabba-command", &["types", "store", "route", "context", "guard", "agent"]),
    (
        "krabba",
        &[
            "types", "config", "store", "redact", "net", "llm", "local", "route", "context", "guard", "sandbox", "tool", "tools", "mcp",
            "agent", "command",
        ],
    ),
    ("krabba-testkit", &["types"]),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// Compares every manifest with [`ROOMS`]. Development dependencies are free.
pub(super) fn check(root: &Path, findings: &mut Vec<String>) -> Result<()> {
    let output = Command::new("cargo").current_dir(root).args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    for package in metadata.packages {
        if package.name == "xtask" {
            continue;
        }
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == package.name) else {
            findings.push(format!("{}: a room that the dependency table does not know", package.name));
            continue;
        };
        for dependency in package.dependencies {
            let Some(room) = dependency.name.strip_prefix("krabba-") else { continue };
            if dependency.kind.as_deref() != Some("dev") && !allowed.contains(&room) {
                findings.push(format!("{} must not know {}", package.name, dependency.name));
            }
        }
    }
    Ok(())
}
