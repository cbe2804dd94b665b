//! Which file is the configuration, and whose it is.

use std::path::{Path, PathBuf};

use crate::Env;

/// What the search for the configuration starts from.
#[derive(Clone, Debug)]
pub struct Where {
    /// `--config FILE`.
    pub flag: Option<PathBuf>,
    /// The process environment.
    pub env: Env,
    /// The user's home directory.
    pub home: PathBuf,
}

/// The file that was found, or the one to create when there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file. It need not exist when it was named by flag or variable, or when nothing was found.
    pub path: PathBuf,
    /// Whether it may be written.
    pub ownership: Ownership,
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// krabba's own: may be edited.
    Ours,
    /// OpenClaw's: read, never written.
    Theirs,
}

impl Where {
    /// krabba's own file, `~/.krabba/krabba.json5`.
    pub fn own_file(&self) -> PathBuf {
        self.home.join(".krabba").join("krabba.json5")
    }

    /// The `.env` files that count, first wins: the working directory's, then those beside the configuration and in the two
    /// state directories. OpenClaw reads the first and its own; an adopted configuration still finds OpenClaw's.
    pub fn dot_env_files(&self, working_directory: &Path, location: &Location) -> Vec<PathBuf> {
        let mut files = vec![working_directory.join(".env")];
        let beside = location.path.parent().map(|directory| directory.join(".env"));
        let state = [self.home.join(".krabba").join(".env"), self.home.join(".openclaw").join(".env")];
        for file in beside.into_iter().chain(state) {
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files
    }
}

/// Finds the configuration: flag, `KRABBA_CONFIG`, `~/.krabba/krabba.json5`, `OPENCLAW_CONFIG_PATH`,
/// `~/.openclaw/openclaw.json`. A file that was named counts even when it is missing, so that a misspelt name is an error
/// and not silently another file; the two in the home directory count when they exist. A named file lying in
/// `~/.openclaw` is OpenClaw's whichever way it was named.
pub fn locate(place: &Where) -> Location {
    let openclaw_home = place.home.join(".openclaw");
    let named = place.flag.clone().or_else(|| named_by(place, "KRABBA_CONFIG"));
    let (path, ownership) = if let Some(path) = named {
        (path, Ownership::Ours)
    } else if is_there(&place.own_file()) {
        (place.own_file(), Ownership::Ours)
    } else if let Some(path) = named_by(place, "OPENCLAW_CONFIG_PATH") {
        (path, Ownership::Theirs)
    } else if is_there(&openclaw_home.join("openclaw.json")) {
        (openclaw_home.join("openclaw.json"), Ownership::Theirs)
    } else {
        (place.own_file(), Ownership::Ours)
    };
    let real = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
    let openclaw_real = std::fs::canonicalize(&openclaw_home).unwrap_or(openclaw_home);
    let is_openclaws = real.starts_with(openclaw_real) || path.file_name().is_some_and(|name| name == "openclaw.json");
    Location { path, ownership: if is_openclaws { Ownership::Theirs } else { ownership } }
}

/// A link that leads nowhere is there too: a configuration on a disk that is not mounted must not be passed over.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn named_by(place: &Where, variable: &str) -> Option<PathBuf> {
    let text = place.env.get(variable)?;
    Some(match text.strip_prefix("~/") {
        Some(rest) => place.home.join(rest),
        None => PathBuf::from(text),
    })
}
