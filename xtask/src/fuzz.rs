//! `cargo xtask fuzz`: every fuzz target for a while.
//!
//! Each begins with what earlier runs found worth keeping (`fuzz/corpus`, not in the repository) and with the transcripts,
//! answers and configurations of the tests, so that a minute is not spent on discovering JSON.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{shell, tools};

/// Where a target finds examples of what it reads.
const SEEDS: [(&str, &str); 12] = [
    ("address", "fuzz/seeds/address"),
    ("calls", "crates/markup/tests/data"),
    ("completions", "crates/dialect/tests/data/chat"),
    ("config", "crates/config/tests/data"),
    ("edit", "fuzz/seeds/edit"),
    ("messages", "crates/dialect/tests/data/anthropic"),
    ("ndjson", "crates/dialect/tests/data/ollama"),
    ("ollama", "crates/dialect/tests/data/ollama"),
    ("patch", "fuzz/seeds/patch"),
    ("responses", "crates/dialect/tests/data/responses"),
    ("splitter", "crates/markup/tests/data"),
    ("sse", "crates/dialect/tests/data/responses"),
];

/// Runs each target for `seconds`, all of them whatever one finds, and fails if any found something. Needs `cargo-fuzz`. The
/// pinned compiler will do: without a sanitizer, which code without `unsafe` has little use for, only the coverage flags are
/// needed, and `RUSTC_BOOTSTRAP=1` allows those.
pub(crate) fn run(root: &Path, seconds: u32) -> Result<()> {
    let cargo_fuzz = tools::cargo_fuzz()?;
    let mut failed = Vec::new();
    for name in targets(root)? {
        shell::say(&format!("fuzzing {name} for {seconds} s"));
        let corpus = root.join("fuzz/corpus").join(&name);
        std::fs::create_dir_all(&corpus).with_context(|| format!("could not make {}", corpus.display()))?;
        let seeds = SEEDS.iter().filter(|(target, _)| *target == name).map(|(_, seeds)| root.join(seeds));
        let found = shell::run(
            Command::new(&cargo_fuzz)
                .current_dir(root)
                .env("RUSTC_BOOTSTRAP", "1")
                .args(["run", "--sanitizer", "none", &name])
                // What is new goes into the first directory, the others are only read.
                .args(std::iter::once(corpus).chain(seeds))
                .args(["--", "-print_final_stats=1", "-verbosity=0"])
                .arg(format!("-max_total_time={seconds}"))
                .args(["-rss_limit_mb=2048", "-timeout=10"]),
        );
        if let Err(error) = found {
            shell::say(&format!("{name}: {error:#}"));
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("{} found something; the inputs are under fuzz/artifacts", failed.join(", "));
    }
    Ok(())
}

fn targets(root: &Path) -> Result<Vec<String>> {
    let directory = root.join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&directory).with_context(|| format!("could not read {}", directory.display()))?;
    let files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    let mut names: Vec<String> = files.iter().filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}
