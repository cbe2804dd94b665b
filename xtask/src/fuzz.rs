//! `cargo xtask fuzz`: every fuzz target for a while.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Runs each target for `seconds`. Needs `cargo-fuzz`; the sanitizer needs the nightly compiler's flags, which
/// `RUSTC_BOOTSTRAP=1` allows on the pinned one.
pub(crate) fn run(root: &Path, seconds: u32) -> Result<()> {
    if !shell::exists("cargo-fuzz") {
        bail!("cargo-fuzz is missing: cargo install cargo-fuzz");
    }
    let targets = root.join("fuzz/fuzz_targets");
    let mut names: Vec<String> = std::fs::read_dir(&targets)
        .with_context(|| format!("could not read {}", targets.display()))?
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    for name in names {
        shell::say(&format!("fuzzing {name} for {seconds} s"));
        shell::run(
            Command::new("cargo")
                .current_dir(root)
                .env("RUSTC_BOOTSTRAP", "1")
                .args(["fuzz", "run", &name, "--sanitizer", "none", "--"])
                .arg(format!("-max_total_time={seconds}"))
                .args(["-rss_limit_mb=2048", "-timeout=10"]),
        )?;
    }
    Ok(())
}
