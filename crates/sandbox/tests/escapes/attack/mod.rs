//! The attacker: this very program, started in the sandbox, or, to show that an attack is one, outside of it.
//!
//! An attack says whether it got anywhere. What it did to the world outside is looked at by whoever started it.

#![allow(unsafe_code, reason = "an attacker calls the kernel directly, and runs before the test harness does")]

pub(crate) mod creating;
pub(crate) mod files;
pub(crate) mod kernel;
pub(crate) mod limits;
pub(crate) mod network;
pub(crate) mod proc_fs;
pub(crate) mod processes;
pub(crate) mod racing;
pub(crate) mod reading;

use std::collections::BTreeSet;
use std::ffi::CString;
use std::path::{Path, PathBuf};

use krabba_sandbox::Limits;
use serde::{Deserialize, Serialize};

use crate::{matrix, victim};

/// First argument of the attacker.
pub(crate) const ATTACK: &str = "--krabba-attack";

/// Begins the word of an attack that got somewhere, of one that did not, and of one for which this machine lacks something.
pub(crate) const GOT: &str = "GOT ";
pub(crate) const HELD: &str = "HELD ";
pub(crate) const LACKS: &str = "not here: ";

/// Said by an attack that has taken what it wanted, and waits whether that is noticed.
pub(crate) const TAKEN: &str = "TAKEN";

/// What it got, or what it met.
pub(crate) type Got = Result<String, String>;

/// A way out.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Scene) -> Got,
    pub(crate) control: Control,
    pub(crate) setting: Setting,
}

/// How the attack is shown to be one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// It succeeds without a sandbox.
    Bare,
    /// It succeeds without a sandbox for root.
    Root,
    /// It succeeds in a sandbox with the usual limits.
    Loose,
    /// It cannot be shown without harm.
    Nothing,
}

/// What it needs of the sandbox.
#[derive(Clone, Copy)]
pub(crate) enum Setting {
    Plain,
    /// A tainted turn, whose changes are kept apart.
    Apart,
    /// A terminal.
    Terminal,
    /// Other commands start and end meanwhile.
    Crowd,
    /// It has two seconds.
    Brief,
    /// Limits that are soon reached; ending it is an answer too.
    Tight(fn(&mut Limits)),
}

impl Attack {
    const fn new(name: &'static str, control: Control, run: fn(&Scene) -> Got) -> Self {
        Self { name, run, control, setting: Setting::Plain }
    }

    const fn within(self, setting: Setting) -> Self {
        Self { setting, ..self }
    }
}

/// What an attacker knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scene {
    pub(crate) workspace: PathBuf,
    /// A directory that no command may see. Holds `key`.
    pub(crate) secret: PathBuf,
    /// A directory that is nobody's business. Holds `file`, `program`, `empty/`, and sockets.
    pub(crate) outside: PathBuf,
    pub(crate) scratch: PathBuf,
    /// Root's `id`, which everybody runs as root.
    pub(crate) setuid: PathBuf,
    /// Protected places that are missing, relative to the workspace.
    pub(crate) missing: Vec<PathBuf>,
    pub(crate) ports: Ports,
    pub(crate) abstract_name: String,
    /// Names the kernel's own shared things: System V's key, and what begins the POSIX names.
    pub(crate) shared: (i32, String),
    pub(crate) victim: victim::Known,
    /// A file handle of `outside/file`, as the kernel writes it.
    pub(crate) handle: Vec<u8>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub(crate) tcp4: u16,
    pub(crate) tcp6: u16,
    pub(crate) udp4: u16,
    pub(crate) udp6: u16,
    /// Somebody outside keeps calling here.
    pub(crate) called: u16,
}

impl Scene {
    pub(crate) fn key(&self) -> PathBuf {
        self.secret.join("key")
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.outside.join("file")
    }

    pub(crate) fn steering(&self) -> PathBuf {
        self.workspace.join("AGENTS.md")
    }

    /// A file of the attacker's own.
    pub(crate) fn own(&self, name: &str) -> PathBuf {
        let place = self.workspace.join("open").join(name);
        let _ = std::fs::write(&place, "evil\n");
        place
    }
}

/// All of them, each name once.
pub(crate) fn all() -> Vec<&'static Attack> {
    let rooms = [
        network::ATTACKS,
        proc_fs::ATTACKS,
        processes::ATTACKS,
        kernel::ATTACKS,
        reading::ATTACKS,
        files::ATTACKS,
        creating::ATTACKS,
        racing::ATTACKS,
        limits::ATTACKS,
    ];
    let all: Vec<&Attack> = rooms.into_iter().flatten().collect();
    let names: BTreeSet<&str> = all.iter().map(|attack| attack.name).collect();
    assert_eq!(names.len(), all.len(), "an attack is counted twice");
    all
}

/// A system call, with its error in words.
pub(crate) fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Got {
    match raw(number, arguments) {
        Ok(value) => Ok(value.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn raw<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> std::io::Result<usize> {
    let argument = |at: usize| arguments.get(at).copied().unwrap_or(0);
    // SAFETY: Whatever it does to this process, nothing of worth is in it.
    let done = unsafe { libc::syscall(number, argument(0), argument(1), argument(2), argument(3), argument(4), argument(5)) };
    usize::try_from(done).map_err(|_| std::io::Error::last_os_error())
}

/// Whether a call that is made wrongly on purpose gets as far as being told so.
pub(crate) fn reaches<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Got {
    match raw(number, arguments) {
        Ok(value) => Ok(format!("returned {value}")),
        Err(error) => match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Err(error.to_string()),
            Some(libc::ENOSYS) => Err(format!("{LACKS}{error}")),
            _ => Ok(format!("reached: {error}")),
        },
    }
}

/// A result in words, telling what this kernel does not have from what it refuses.
pub(crate) fn refused(done: std::io::Result<usize>) -> Got {
    done.map(|value| value.to_string()).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT | libc::ESOCKTNOSUPPORT | libc::ENODEV) => format!("{LACKS}{error}"),
        _ => error.to_string(),
    })
}

pub(crate) fn c(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_encoded_bytes()).unwrap_or_default()
}

/// For a call's argument.
pub(crate) fn at(text: &CString) -> usize {
    text.as_ptr() as usize
}

/// Of this working directory.
pub(crate) const HERE: usize = libc::AT_FDCWD as usize;

/// The first that succeeds, else the last word.
pub(crate) fn any(attempts: impl IntoIterator<Item = Got>) -> Got {
    let mut last = Err("nothing to try".to_owned());
    for attempt in attempts {
        if attempt.is_ok() {
            return attempt;
        }
        last = attempt;
    }
    last
}

pub(crate) fn words(error: std::io::Error) -> String {
    error.to_string()
}

/// Reads a file that is not to be read.
pub(crate) fn read(path: impl AsRef<Path>) -> Got {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(words)
}

extern "C" fn play() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some(ATTACK) => {}
        Some(victim::VICTIM) => return victim::live(arguments.get(2).map_or("", String::as_str)),
        Some(matrix::MATRIX) => return matrix::play(&arguments[2..]),
        _ => return,
    }
    let (Some(name), Some(scene)) = (arguments.get(2), arguments.get(3)) else { std::process::exit(2) };
    let scene: Scene = serde_json::from_slice(&std::fs::read(scene).unwrap()).unwrap();
    let attack = all().into_iter().find(|attack| attack.name == name).unwrap();
    match (attack.run)(&scene) {
        Ok(what) => println!("{GOT}{what}"),
        Err(why) => println!("{HELD}{why}"),
    }
    std::process::exit(0);
}

/// Called by the C library before `main`, which belongs to the test harness.
// SAFETY: The section holds pointers to functions that are called without arguments that matter.
#[used]
#[unsafe(link_section = ".init_array")]
static PLAY: extern "C" fn() = play;
