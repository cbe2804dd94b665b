//! A server that is a program: its sandbox, what it writes to standard error, and a limit for its messages.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use krabba_sandbox::{Process, Sandbox, SandboxError, ServerCommand};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio::net::unix::pipe;
use tokio_util::task::AbortOnDropHandle;

/// The longest message, in bytes.
pub(crate) const LONGEST: usize = 8 * 1024 * 1024;

/// How much of what a program complains about is kept, in bytes.
const COMPLAINT: usize = 2048;

/// A running program.
#[derive(Debug)]
pub(crate) struct Program {
    process: Process,
    complaint: Complaint,
    _listening: AbortOnDropHandle<()>,
}

/// The end of what a program wrote to standard error.
#[derive(Clone, Debug, Default)]
pub(crate) struct Complaint(Arc<Mutex<VecDeque<u8>>>);

/// Both directions of its protocol.
pub(crate) type Streams = (Capped<pipe::Receiver>, pipe::Sender);

impl Program {
    pub(crate) async fn start(sandbox: &Sandbox, command: &ServerCommand) -> Result<(Self, Streams), SandboxError> {
        let server = sandbox.spawn_server(command).await?;
        let complaint = Complaint::default();
        let listening = tokio::spawn(complaint.clone().listen(server.stderr));
        let output = Capped { inner: server.stdout, length: 0, complaint: complaint.clone() };
        let program = Self { process: server.process, complaint, _listening: AbortOnDropHandle::new(listening) };
        Ok((program, (output, server.stdin)))
    }

    pub(crate) fn complaint(&self) -> String {
        self.complaint.text()
    }

    /// Ends it and everything that it started, and waits for that.
    pub(crate) async fn end(mut self) {
        self.process.kill().await;
    }
}

impl Complaint {
    async fn listen(self, mut errors: pipe::Receiver) {
        let mut bytes = vec![0; 4096];
        while let Ok(count) = errors.read(&mut bytes).await
            && count > 0
        {
            self.add(bytes.get(..count).unwrap_or_default());
        }
    }

    fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(bytes);
        let over = kept.len().saturating_sub(COMPLAINT);
        kept.drain(..over);
    }

    fn text(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = kept.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

/// Lines of at most [`LONGEST`] bytes; what is longer ends the stream, since what it answers could not be told any more.
#[derive(Debug)]
pub(crate) struct Capped<R> {
    inner: R,
    /// Of the line that is being read.
    length: usize,
    complaint: Complaint,
}

impl<R: AsyncRead + Unpin> AsyncRead for Capped<R> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        self.length = match read.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => read.len() - end - 1,
            None => self.length + read.len(),
        };
        if self.length > LONGEST {
            self.complaint.add(format!("\n[a message of more than {LONGEST} bytes]").as_bytes());
            return Poll::Ready(Err(io::Error::other("too long a message")));
        }
        Poll::Ready(Ok(()))
    }
}
