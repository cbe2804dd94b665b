//! What ends a command that is about to send a decoy away.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use krabba_guard::Decoys;
use rustix::net::Shutdown;

/// How much of what has passed is kept for the sake of a decoy that comes in two pieces, in bytes; more than one in any dress.
const KEPT: usize = 512;

/// The decoys, and whose end is brought about.
#[derive(Debug)]
pub(crate) struct Alarm {
    decoys: Decoys,
    /// The launcher ends everything when this side of it is closed.
    control: OwnedFd,
    rang: AtomicBool,
}

impl Alarm {
    pub(crate) fn new(decoys: Decoys, control: OwnedFd) -> Self {
        Self { decoys, control, rang: AtomicBool::new(false) }
    }

    pub(super) fn rang(&self) -> bool {
        self.rang.load(Ordering::SeqCst)
    }

    fn ring(&self) {
        self.rang.store(true, Ordering::SeqCst);
        let _ = rustix::net::shutdown(&self.control, Shutdown::Write);
    }
}

/// Looks through one connection.
pub(super) struct Watch<'a> {
    alarm: &'a Alarm,
    last: Vec<u8>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(alarm: &'a Alarm) -> Self {
        Self { alarm, last: Vec::new() }
    }

    /// Whether these bytes may go on; otherwise the command is on its end.
    pub(super) fn passes(&mut self, bytes: &[u8]) -> bool {
        self.last.extend_from_slice(bytes);
        let found = self.alarm.decoys.are_in(&String::from_utf8_lossy(&self.last));
        if found {
            self.alarm.ring();
        }
        self.last.drain(..self.last.len().saturating_sub(KEPT));
        !found
    }
}
