//! Where things are, and what the configuration says.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use krabba_config::{Diagnostics, Env, Loaded, Location, Ownership, Severity, Surroundings, Where, load_file, locate, parse_text};

use crate::cli::Place;

/// Paths, environment and configuration.
pub(crate) struct Home {
    /// Where the configuration is looked for.
    pub(crate) place: Where,
    /// The configuration file, existing or not.
    pub(crate) location: Location,
    /// `~/.krabba`, or what `--state-dir` or `KRABBA_STATE_DIR` says.
    pub(crate) state_dir: PathBuf,
    /// The process environment, read once.
    pub(crate) env: Env,
    working_directory: PathBuf,
}

/// The configuration cannot be used. Exit code 78.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has errors")]
pub(crate) struct ConfigErrors(pub(crate) Diagnostics);

impl Home {
    /// Reads flags and environment; no file is opened yet.
    ///
    /// # Errors
    /// When there is no home directory.
    pub(crate) fn find(place: &Place) -> Result<Self> {
        let env = Env::new(std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?))));
        let home = env.get("HOME").map(PathBuf::from).context("HOME is not set; set it, or give --config and --state-dir")?;
        let where_ = Where { flag: place.config.clone(), env: env.clone(), home };
        let location = locate(&where_);
        let state_dir = place
            .state_dir
            .clone()
            .or_else(|| env.get("KRABBA_STATE_DIR").map(PathBuf::from))
            .unwrap_or_else(|| where_.home.join(".krabba"));
        let working_directory = std::env::current_dir().unwrap_or_default();
        Ok(Self { place: where_, location, state_dir, env, working_directory })
    }

    /// Whether there is a file to read. One that was named by flag or variable counts as there: its absence is an error.
    pub(crate) fn has_file(&self) -> bool {
        self.location.path.symlink_metadata().is_ok() || self.place.flag.is_some() || self.env.get("KRABBA_CONFIG").is_some()
    }

    /// The same home, once krabba's own file is the one in use.
    pub(crate) fn with_own_file(&self) -> Self {
        let location = Location { path: self.place.own_file(), ownership: Ownership::Ours };
        let (place, state_dir, env) = (self.place.clone(), self.state_dir.clone(), self.env.clone());
        Self { place, location, state_dir, env, working_directory: self.working_directory.clone() }
    }

    /// Whether the configuration file may be written.
    pub(crate) fn is_ours(&self) -> bool {
        self.location.ownership == Ownership::Ours
    }

    /// Closes krabba's own directory to others, where a person made it by hand with the usual mode. One that they named is
    /// theirs to decide about; `krabba doctor` speaks of it.
    pub(crate) fn tighten_own_state_dir(&self) {
        if self.state_dir == self.place.home.join(".krabba")
            && std::fs::metadata(&self.state_dir).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
        {
            // Failing costs no more than before; doctor says so.
            let _ = std::fs::set_permissions(&self.state_dir, std::fs::Permissions::from_mode(0o700));
        }
    }

    /// Reads the file, whatever its errors.
    ///
    /// # Errors
    /// When nothing of it can be read.
    pub(crate) fn read(&self) -> Result<Loaded, ConfigErrors> {
        load_file(&self.location.path, &self.surroundings()).map_err(ConfigErrors)
    }

    /// Reads the file and insists that it has no errors.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything there is to say.
    pub(crate) fn load(&self) -> Result<Loaded, ConfigErrors> {
        let loaded = self.read()?;
        if loaded.diagnostics.count(Severity::Error) > 0 {
            return Err(ConfigErrors(loaded.diagnostics));
        }
        Ok(loaded)
    }

    /// The settings of a text instead of a file: what a first run would write.
    ///
    /// # Errors
    /// When the text is not a configuration, which is a mistake of ours.
    pub(crate) fn load_text(&self, text: &str) -> Result<Loaded, ConfigErrors> {
        parse_text(text, &self.env).map_err(ConfigErrors)
    }

    /// For reading any configuration file.
    pub(crate) fn surroundings(&self) -> Surroundings {
        Surroundings {
            env: self.env.clone(),
            dot_env: self.place.dot_env_files(&self.working_directory, &self.location),
            home: Some(self.place.home.clone()),
        }
    }

    /// Where sandboxes keep what they need.
    pub(crate) fn sandbox_dir(&self) -> PathBuf {
        self.state_dir.join("sandbox")
    }

    /// `path` with the home directory shortened to `~`, for messages.
    pub(crate) fn shown(&self, path: &Path) -> String {
        match path.strip_prefix(&self.place.home) {
            Ok(rest) => format!("~/{}", rest.display()),
            Err(_) => path.display().to_string(),
        }
    }
}
