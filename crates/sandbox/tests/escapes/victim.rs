//! Somebody else's process of the same user, with something to lose.

#![allow(unsafe_code, reason = "it sits still in memory, and counts signals")]

use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

/// First argument of the victim.
pub(crate) const VICTIM: &str = "--krabba-victim";

/// A variable of its environment, and what is in it.
pub(crate) const VARIABLE: &str = "VICTIM_KEY";
pub(crate) const VALUE: &str = "sesame-of-the-victim";

/// What stands in its memory. Not a constant of the program, which the attacker has too.
const MEMORY: usize = 32;

/// What an attacker knows of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) pid: i32,
    /// Where its secret stands.
    pub(crate) address: usize,
    /// Under which number it holds a file that nobody may read.
    pub(crate) descriptor: i32,
}

/// What it looks like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    alive: bool,
    memory: Vec<u8>,
    nice: i32,
    files: u64,
    affinity: Vec<u8>,
    policy: String,
}

pub(crate) struct Victim {
    child: Child,
    _stdin: ChildStdin,
    signals: ChildStdout,
    pub(crate) known: Known,
}

impl Victim {
    pub(crate) fn start(program: &Path, key: &Path, directory: &Path) -> Self {
        #[allow(clippy::disallowed_methods, reason = "ended when this is dropped")]
        let mut command = Command::new(program);
        command.arg(VICTIM).arg(key).current_dir(directory).env(VARIABLE, VALUE).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, mut signals) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut line = Vec::new();
        let mut byte = [0];
        while signals.read_exact(&mut byte).is_ok() && byte != *b"\n" {
            line.extend(byte);
        }
        let mut known: Known = serde_json::from_slice(&line).unwrap();
        known.pid = i32::try_from(child.id()).unwrap();
        let flags = rustix::fs::fcntl_getfl(&signals).unwrap();
        rustix::fs::fcntl_setfl(&signals, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
        Self { child, _stdin: stdin, signals, known }
    }

    /// The numbers of signals that reached it, one byte each.
    pub(crate) fn signals(&mut self) -> Vec<u8> {
        let mut bytes = [0; 64];
        let read = self.signals.read(&mut bytes).unwrap_or(0);
        bytes[..read].to_vec()
    }

    pub(crate) fn state(&mut self) -> State {
        let place = |name: &str| format!("/proc/{}/{name}", self.known.pid);
        let mut memory = vec![0; MEMORY];
        let file = std::fs::File::open(place("mem"));
        let _ = file.map(|file| file.read_exact_at(&mut memory, self.known.address as u64));
        let status = std::fs::read_to_string(place("stat")).unwrap_or_default();
        let words: Vec<&str> = status.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let running = matches!(self.child.try_wait(), Ok(None)) && words.first().is_some_and(|state| "SRD".contains(state));
        let limits = std::fs::read_to_string(place("limits")).unwrap_or_default();
        let files =
            limits.lines().find(|line| line.starts_with("Max open files")).and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
        let allowed = std::fs::read_to_string(place("status")).unwrap_or_default();
        let affinity = allowed.lines().find(|line| line.starts_with("Cpus_allowed:")).unwrap_or_default();
        State {
            alive: running,
            memory,
            nice: words.get(16).and_then(|nice| nice.parse().ok()).unwrap_or(99),
            files: files.unwrap_or_default(),
            affinity: affinity.into(),
            policy: words.get(38).map(|policy| (*policy).to_owned()).unwrap_or_default(),
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

extern "C" fn heard(signal: libc::c_int) {
    let byte = u8::try_from(signal).unwrap_or(255);
    // SAFETY: write(2) may be called in a signal handler, and the byte outlives it.
    let _ = unsafe { libc::write(1, (&raw const byte).cast(), 1) };
}

/// Sits there until nobody holds its input any more.
pub(crate) fn live(key: &str) {
    let mut memory = Vec::with_capacity(MEMORY);
    memory.extend(VALUE.bytes().rev().cycle().take(MEMORY));
    let memory: &'static [u8] = memory.leak();
    let file: &'static std::fs::File = Box::leak(Box::new(std::fs::File::open(key).unwrap()));
    for signal in [libc::SIGURG, libc::SIGUSR1, libc::SIGUSR2, libc::SIGIO, libc::SIGTERM, libc::SIGHUP, libc::SIGCONT] {
        // SAFETY: The handler does nothing but write.
        unsafe { libc::signal(signal, heard as *const () as libc::sighandler_t) };
    }
    let known = Known { pid: 0, address: memory.as_ptr() as usize, descriptor: std::os::fd::AsRawFd::as_raw_fd(file) };
    println!("{}", serde_json::to_string(&known).unwrap());
    let _ = std::io::stdout().flush();
    let mut rest = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut rest);
    std::process::exit(0);
}
