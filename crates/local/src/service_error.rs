//! What can go wrong with a server command.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A service that cannot be used. Cloned to everybody who waits for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// The configuration names no absolute path.
    #[error("localService of {service}: the command \"{}\" is not an absolute path; write the whole path, beginning with /", command.display())]
    NotAbsolute {
        /// Whose.
        service: String,
        /// As configured.
        command: PathBuf,
    },
    /// The health URL is none.
    #[error("localService of {service}: \"{url}\" is not an address; set healthUrl")]
    BadHealthUrl {
        /// Whose.
        service: String,
        /// As configured.
        url: String,
    },
    /// The program cannot be started.
    #[error("cannot start {service} ({}): {reason}", command.display())]
    Spawn {
        /// Whose.
        service: String,
        /// The program.
        command: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// Files of ours cannot be written.
    #[error("cannot keep the log of {service} at {}: {reason}", path.display())]
    Log {
        /// Whose.
        service: String,
        /// Where.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// It ended while it started.
    #[error("{0}")]
    Crashed(CrashReport),
    /// It does not answer in time, and was stopped.
    #[error(
        "{service} did not answer at {health_url} within {} s and was stopped; its log is {}{}",
        timeout.as_secs(), log.display(), Lines(last_lines)
    )]
    NotReady {
        /// Whose.
        service: String,
        /// What was asked.
        health_url: String,
        /// `readyTimeoutMs`.
        timeout: Duration,
        /// The log file.
        log: PathBuf,
        /// Its end.
        last_lines: Vec<String>,
    },
    /// krabba is stopping.
    #[error("{service} is being stopped")]
    Stopping {
        /// Whose.
        service: String,
    },
}

/// A server process that ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashReport {
    /// Whose.
    pub service: String,
    /// How it ended, in the system's words (`exit status: 1`, `signal: 11 (SIGSEGV)`).
    pub status: String,
    /// The log file.
    pub log: PathBuf,
    /// The last lines of its output, 20 at most.
    pub last_lines: Vec<String>,
}

impl fmt::Display for CrashReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} ended by itself ({}); its log is {}{}",
            self.service,
            self.status,
            self.log.display(),
            Lines(&self.last_lines)
        )
    }
}

struct Lines<'a>(&'a [String]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str(" (it wrote nothing)");
        }
        formatter.write_str(", which ends:")?;
        self.0.iter().try_for_each(|line| write!(formatter, "\n  {line}"))
    }
}
