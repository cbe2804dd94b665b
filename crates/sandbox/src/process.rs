//! A running command, as krabba holds it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

use crate::Aside;
use crate::broker::Broker;
use crate::frame::Incoming;
use crate::placeholders::Placeholders;
use crate::plan::{Ended, Limit, Report};
use crate::run_directory::RunDirectory;

/// A command in its sandbox.
#[derive(Debug)]
pub struct Child {
    /// The command itself. Dropping it ends the command and everything that it started.
    pub process: Process,
    /// What it reads.
    pub input: Input,
    /// What it writes.
    pub output: Output,
    /// What it changes, where that is kept apart; whole once the command has ended.
    pub aside: Option<Aside>,
}

/// A server in its sandbox, for a protocol over standard streams.
#[derive(Debug)]
pub struct Server {
    /// The server itself. Dropping it ends the server and everything that it started.
    pub process: Process,
    /// Its standard input.
    pub stdin: pipe::Sender,
    /// Its standard output.
    pub stdout: pipe::Receiver,
    /// Its standard error.
    pub stderr: pipe::Receiver,
}

/// Holds a command and everything that it started.
#[derive(Debug)]
pub struct Process {
    control: UnixStream,
    incoming: Incoming,
    launcher: tokio::process::Child,
    ended: Option<Ended>,
    pub(crate) broker: Option<Broker>,
    keeps: Option<Keeps>,
}

/// What lasts as long as the command.
#[derive(Debug)]
pub(crate) struct Keeps {
    pub(crate) placeholders: Option<Placeholders>,
    pub(crate) _private: RunDirectory,
}

impl Process {
    pub(crate) fn new(control: UnixStream, incoming: Incoming, launcher: tokio::process::Child, keeps: Keeps) -> Self {
        Self { control, incoming, launcher, ended: None, broker: None, keeps: Some(keeps) }
    }

    /// Waits until the command has ended, and everything that it started with it. May be dropped and called again.
    pub async fn wait(&mut self) -> Ended {
        loop {
            // Known before the launcher is gone, so that whoever stops waiting in between loses nothing.
            if let Some(ended) = self.ended {
                let _ = self.launcher.wait().await;
                return ended;
            }
            let ended = match self.report().await {
                Ok((Report::Ended(ended), _)) => ended,
                Ok((Report::Running { .. }, _)) => continue,
                // The launcher is gone, or gave up; what was inside went with it.
                Ok((Report::Failed { .. }, _)) | Err(_) => Ended::killed(Limit::Killed),
            };
            let alarmed = self.broker.as_ref().is_some_and(Broker::alarmed);
            self.ended = Some(if alarmed { Ended { limit: Some(Limit::Decoy), ..ended } } else { ended });
        }
    }

    /// What ends the command when its writing side is closed.
    pub(crate) fn control(&self) -> io::Result<OwnedFd> {
        self.control.as_fd().try_clone_to_owned()
    }

    /// The launcher's next message.
    pub(crate) async fn report(&mut self) -> io::Result<(Report, Vec<OwnedFd>)> {
        let Self { control, incoming, .. } = self;
        loop {
            if let Some(message) = control.async_io(Interest::READABLE, || incoming.pull(&*control)).await? {
                return Ok(message);
            }
        }
    }

    /// Ends the command and everything that it started, and waits for that.
    pub async fn kill(&mut self) -> Ended {
        // The launcher waits for this side to close.
        let _ = self.control.shutdown().await;
        self.wait().await
    }

    /// How it ended, if that is known already.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Bytes that went to and came from the hosts it may reach.
    pub fn network_bytes(&self) -> u64 {
        self.broker.as_ref().map_or(0, Broker::bytes)
    }

    /// Where it wanted to go and was not let, `host:port`, the first few of them.
    pub fn refused_hosts(&self) -> Vec<String> {
        self.broker.as_ref().map(Broker::refused).unwrap_or_default()
    }
}

/// How long dropping a command waits for its end, which takes milliseconds.
const DYING: Duration = Duration::from_secs(1);

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended.is_some() {
            return;
        }
        let _ = rustix::net::shutdown(&self.control, Shutdown::Write);
        let deadline = Instant::now() + DYING;
        while Instant::now() < deadline {
            let mut waits = [PollFd::new(&self.control, PollFlags::IN)];
            let _ = poll(&mut waits, Some(&Timespec { tv_sec: 1, tv_nsec: 0 }));
            match self.incoming.pull::<Report>(&self.control) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The launcher is gone, and everything with it.
                Err(_) => return,
            }
        }
        // What protects the workspace stays, rather than going away before those that it protects from.
        std::mem::forget(self.keeps.take());
    }
}

/// Which stream output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the terminal.
    Output,
    /// Standard error.
    Error,
}

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// What came.
    Bytes(Stream, Vec<u8>),
    /// From here on, once: more came than is kept, and is thrown away.
    Cut,
}

/// What a command writes. Nothing is read ahead: a command waits when nobody calls [`Output::next`].
#[derive(Debug)]
pub struct Output {
    output: Option<pipe::Receiver>,
    errors: Option<pipe::Receiver>,
    /// What may still be kept, in bytes.
    room: usize,
    cut: bool,
}

impl Output {
    pub(crate) fn new(output: pipe::Receiver, errors: Option<pipe::Receiver>, most: u64) -> Self {
        Self { output: Some(output), errors, room: usize::try_from(most).unwrap_or(usize::MAX), cut: false }
    }

    /// The next piece, when there is one; `None` when no more can come. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Piece> {
        loop {
            if self.output.is_none() && self.errors.is_none() {
                return None;
            }
            let (stream, read) = tokio::select! {
                read = read(&mut self.output) => (Stream::Output, read),
                read = read(&mut self.errors) => (Stream::Error, read),
            };
            let mut bytes = match read {
                Ok(bytes) if !bytes.is_empty() => bytes,
                Ok(_) | Err(_) => {
                    match stream {
                        Stream::Output => self.output = None,
                        Stream::Error => self.errors = None,
                    }
                    continue;
                }
            };
            if self.room == 0 {
                if std::mem::replace(&mut self.cut, true) {
                    continue;
                }
                return Some(Piece::Cut);
            }
            bytes.truncate(self.room);
            self.room -= bytes.len();
            return Some(Piece::Bytes(stream, bytes));
        }
    }
}

/// Reads what is there; nothing at the end, and never from a stream that has ended. A terminal ends with an error.
async fn read(stream: &mut Option<pipe::Receiver>) -> io::Result<Vec<u8>> {
    let Some(stream) = stream else { return std::future::pending().await };
    let mut bytes = vec![0; 16 * 1024];
    let read = stream.read(&mut bytes).await?;
    bytes.truncate(read);
    Ok(bytes)
}

/// What a command reads.
#[derive(Debug)]
pub struct Input(pub(crate) pipe::Sender);

impl Input {
    /// Types. Into a terminal, `\x03` interrupts and `\x04` ends the input; into pipes, dropping this ends it.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }
}

/// Both directions of a terminal. For waiting and reading it is like a pipe.
pub(crate) fn terminal(master: OwnedFd) -> io::Result<(pipe::Sender, pipe::Receiver)> {
    let flags = fcntl_getfl(&master)?;
    fcntl_setfl(&master, flags | OFlags::NONBLOCK)?;
    let input = pipe::Sender::from_owned_fd_unchecked(master.try_clone()?)?;
    Ok((input, pipe::Receiver::from_owned_fd_unchecked(master)?))
}
