//! Words that have no place in the repository.

use std::path::{Path, PathBuf};

use anyhow::Result;

/// Searched for in Rust files. Written in two halves, so that this file does not find itself.
const IN_RUST: [(&str, &str, &str); 4] = [
    ("#[ig", "nore", "a test that does not run proves nothing"),
    ("todo", "!(", "unfinished"),
    ("unimple", "mented!(", "unfinished"),
    ("FIX", "ME", "unfinished"),
];

/// Searched for everywhere but in the lock file.
const ANYWHERE: [(&str, &str, &str); 2] = [("/ro", "ot/", "a path of one machine"), ("/wo", "rk/", "a path of one machine")];

/// Looks through all text files.
pub(super) fn check(root: &Path, files: &[PathBuf], findings: &mut Vec<String>) -> Result<()> {
    for file in files.iter().filter(|file| !file.ends_with("Cargo.lock")) {
        let Ok(text) = String::from_utf8(std::fs::read(root.join(file))?) else { continue };
        let rust = file.extension().is_some_and(|extension| extension == "rs");
        for (number, line) in text.lines().enumerate() {
            let rules = ANYWHERE.iter().chain(IN_RUST.iter().filter(|_| rust));
            for (first, second, why) in rules {
                if line.contains(&format!("{first}{second}")) {
                    findings.push(format!("{}:{}: {first}{second} ({why})", file.display(), number + 1));
                }
            }
        }
    }
    Ok(())
}
