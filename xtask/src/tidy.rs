//! The shape of the repository, held by a machine so that nobody has to argue about it.

mod manifests;
mod sizes;
mod words;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::docs::{self, Mode};
use crate::shell;

/// Checks everything and reports all findings at once.
pub(crate) fn run(root: &Path, mode: Mode) -> Result<()> {
    shell::say("tidy");
    docs::run(root, mode)?;
    let files = tracked_files(root)?;
    let mut findings = Vec::new();
    manifests::check(root, &mut findings)?;
    sizes::check(root, &files, &mut findings)?;
    words::check(root, &files, &mut findings)?;
    if findings.is_empty() {
        return Ok(());
    }
    bail!("tidy found {}:\n  {}", findings.len(), findings.join("\n  "))
}

/// All files that git knows or would add, relative to `root`.
fn tracked_files(root: &Path) -> Result<Vec<PathBuf>> {
    let output =
        std::process::Command::new("git").current_dir(root).args(["ls-files", "--cached", "--others", "--exclude-standard"]).output()?;
    if !output.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().map(PathBuf::from).filter(|path| root.join(path).is_file()).collect())
}
