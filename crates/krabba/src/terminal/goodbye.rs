//! Being told to end by somebody other than the person.

use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Why the conversation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goodbye {
    /// The terminal was closed.
    HangUp,
    /// Somebody asked the process to end.
    Terminate,
}

/// The signals that end a conversation in good order. Ctrl-C is none of them: in raw mode it is a key.
pub(crate) struct Signals {
    hang_up: Signal,
    terminate: Signal,
}

impl Goodbye {
    /// 128 and the signal's number, as shells report it.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::HangUp => 129,
            Self::Terminate => 143,
        })
    }
}

impl Signals {
    /// From now on these signals are heard here and end nothing by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self { hang_up: signal(SignalKind::hangup())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Goodbye {
        tokio::select! {
            _ = self.hang_up.recv() => Goodbye::HangUp,
            _ = self.terminate.recv() => Goodbye::Terminate,
        }
    }
}
