//! Where downloaded and built things are kept: outside the checkout, so that a fresh clone is quick.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// `KRABBA_TEST_CACHE`, else `$XDG_CACHE_HOME/krabba-test`, else `~/.cache/krabba-test`. The test kit looks in the same place.
pub(crate) fn directory() -> Result<PathBuf> {
    let path = if let Some(path) = std::env::var_os("KRABBA_TEST_CACHE") {
        PathBuf::from(path)
    } else if let Some(path) = std::env::var_os("XDG_CACHE_HOME") {
        PathBuf::from(path).join("krabba-test")
    } else {
        let home = std::env::var_os("HOME").context("neither KRABBA_TEST_CACHE nor HOME is set")?;
        PathBuf::from(home).join(".cache/krabba-test")
    };
    std::fs::create_dir_all(&path).with_context(|| format!("could not create {}", path.display()))?;
    Ok(path)
}
