//! Generated documents, kept in the repository so that people can read them, and checked so that they stay true.

use std::path::Path;

use anyhow::{Result, bail};

/// What to do with a document that is out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Fail.
    Check,
    /// Write it.
    Bless,
}

/// Compares every generated document with its source.
pub(crate) fn run(root: &Path, mode: Mode) -> Result<()> {
    let schema = serde_json::to_string_pretty(&krabba_config::schema())? + "\n";
    let documents = [("docs/config.md", krabba_config::reference()), ("docs/config.schema.json", schema)];
    for (name, wanted) in documents {
        let path = root.join(name);
        if std::fs::read_to_string(&path).is_ok_and(|text| text == wanted) {
            continue;
        }
        match mode {
            Mode::Check => bail!("{name} is out of date; run `cargo xtask tidy --bless`"),
            Mode::Bless => {
                std::fs::create_dir_all(root.join("docs"))?;
                std::fs::write(&path, wanted)?;
            }
        }
    }
    Ok(())
}
