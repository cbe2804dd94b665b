//! Messages with descriptors over a Unix socket: four bytes of length, then JSON. Descriptors travel with the first byte.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest message: a plan with a command as long as the kernel takes.
const LONGEST: usize = 4 << 20;

/// The most descriptors of a message.
const DESCRIPTORS: usize = 4;

/// A message on its way out.
pub(crate) struct Outgoing<'a> {
    bytes: Vec<u8>,
    sent: usize,
    descriptors: &'a [BorrowedFd<'a>],
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(message: &impl Serialize, descriptors: &'a [BorrowedFd<'a>]) -> io::Result<Self> {
        let mut bytes = vec![0; 4];
        serde_json::to_writer(&mut bytes, message)?;
        let length = bytes.len() - 4;
        if length > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the command is too long"));
        }
        let length = u32::try_from(length).map_err(io::Error::other)?;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        Ok(Self { bytes, sent: 0, descriptors })
    }

    /// Sends what goes; true when that was all.
    pub(crate) fn push(&mut self, socket: impl AsFd) -> io::Result<bool> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if self.sent == 0 && !self.descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(self.descriptors)) {
            return Err(io::Error::other("too many descriptors"));
        }
        let rest = self.bytes.get(self.sent..).unwrap_or_default();
        self.sent += sendmsg(socket, &[IoSlice::new(rest)], &mut control, SendFlags::NOSIGNAL)?;
        Ok(self.sent >= self.bytes.len())
    }

    /// Sends all, waiting where needed.
    pub(crate) fn push_all(mut self, socket: impl AsFd) -> io::Result<()> {
        loop {
            match self.push(&socket) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Messages on their way in.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl Incoming {
    /// Reads what is there, one message at most; `None` when it is not whole yet.
    ///
    /// # Errors
    /// `UnexpectedEof` when the other side is gone.
    pub(crate) fn pull<T: DeserializeOwned>(&mut self, socket: impl AsFd) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        // No more than this message is taken, so that the descriptors of the next stay where they are.
        let wanted = match self.length()? {
            None => 4 - self.bytes.len(),
            Some(length) => length + 4 - self.bytes.len(),
        };
        let mut chunk = vec![0; wanted.min(64 * 1024)];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let read = recvmsg(socket, &mut [IoSliceMut::new(&mut chunk)], &mut control, RecvFlags::CMSG_CLOEXEC)?.bytes;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.bytes.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if self.length()?.is_none_or(|length| self.bytes.len() < length + 4) {
            return Ok(None);
        }
        let bytes = std::mem::take(&mut self.bytes);
        let message = serde_json::from_slice(bytes.get(4..).unwrap_or_default())?;
        Ok(Some((message, std::mem::take(&mut self.descriptors))))
    }

    /// Reads a whole message, waiting for it.
    pub(crate) fn pull_all<T: DeserializeOwned>(&mut self, socket: impl AsFd) -> io::Result<(T, Vec<OwnedFd>)> {
        loop {
            match self.pull(&socket) {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn length(&self) -> io::Result<Option<usize>> {
        let Some(head) = self.bytes.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes(*head)).map_err(io::Error::other)?;
        if length > LONGEST { Err(io::Error::new(io::ErrorKind::InvalidData, "too long a message")) } else { Ok(Some(length)) }
    }
}
