//! A server command as the configuration describes it (`localService`).

use std::path::PathBuf;
use std::time::Duration;

use krabba_types::Secret;

use crate::service_error::{CrashReport, ServiceError};

/// How long a server may take to answer, unless configured.
const READY_TIMEOUT: Duration = Duration::from_millis(120_000);

/// A server that is started when a model of it is needed.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// Its name: the provider's. One process runs for each name.
    pub name: String,
    /// The program; an absolute path.
    pub command: PathBuf,
    /// Its arguments. They can be seen by other users of the machine, so secrets belong into `env`.
    pub args: Vec<String>,
    /// Where it runs; our own directory unless given.
    pub cwd: Option<PathBuf>,
    /// Added to our environment.
    pub env: Vec<(String, Secret)>,
    /// It is ready when a `GET` of this answers with 2xx (or wants a key).
    pub health_url: String,
    /// How long that may take.
    pub ready_timeout: Duration,
    /// It is stopped after so long without a lease; none for never.
    pub idle_stop: Option<Duration>,
}

impl ServiceSettings {
    /// A command with the defaults: healthy when `{base_url}/models` answers, 120 s to get there, never stopped for idleness.
    ///
    /// # Errors
    /// When `command` is not absolute.
    pub fn new(name: impl Into<String>, command: impl Into<PathBuf>, base_url: &str) -> Result<Self, ServiceError> {
        let (name, command) = (name.into(), command.into());
        if !command.is_absolute() {
            return Err(ServiceError::NotAbsolute { service: name, command });
        }
        Ok(Self {
            name,
            command,
            args: Vec::new(),
            cwd: None,
            env: Vec::new(),
            health_url: format!("{}/models", base_url.trim_end_matches('/')),
            ready_timeout: READY_TIMEOUT,
            idle_stop: None,
        })
    }
}

/// What a service is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// Not running, as far as we started it.
    Stopped,
    /// Started, does not answer yet.
    Starting,
    /// Answers; started by us.
    Ready,
    /// Answers; started by somebody else, who also stops it.
    Foreign,
    /// Ended by itself. The next lease starts it again.
    Crashed(CrashReport),
}
