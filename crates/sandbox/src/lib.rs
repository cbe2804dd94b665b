//! Runs an authorised command where it can do no harm.
//!
//! What a command does is not judged here, and its text is not read: the kernel holds it, whatever it is. A [`Sandbox`] takes an
//! [`Authorized`](krabba_guard::Authorized) command, or a server that the owner configured, and nothing else.
//!
//! # The ladder
//! [`Rung`]s, best first; the first that works on this machine is used, found out by running a shell that does nothing. Where none
//! works, nothing runs, and [`Standing`] says why.
//!
//! 1. Namespaces of our own. A command sees a tree that was made for it: the system read-only, the workspace, an empty `/tmp`; a
//!    network with nothing in it; no process but its own. Changes of the workspace can be kept apart ([`Aside`]).
//! 2. The same made by `bwrap`, where only that may make namespaces.
//! 3. Landlock and seccomp alone: files by Landlock, no sockets, no signals to others.
//!
//! On each of them: no new rights, no capabilities, a list of system calls that exist, an environment made from nothing, no
//! descriptor but the three standard ones, limits for each process and for all together.
//!
//! # How it is put together
//! krabba starts itself again as a launcher (see `launcher.rs`), which makes the sandbox and stays outside to watch it. They talk
//! over a socket; when krabba's end closes, for whatever reason, everything inside is ended. Nothing is left behind by a crash.
//!
//! # What it does not do
//! On the last rung names, sizes and times of files outside can be seen, hidden ones included; no mode, owner or mark of a file can be
//! changed, only the times of what may be read; and nothing new can be made at the root of the workspace. On every rung a protected
//! place is one that stands in the workspace's root or in its `.git`: what lies deeper, or in a repository below, is not.
//! Only a program that asks the proxy reaches a host that was opened for it. A protected file that somebody outside replaces while a
//! command runs loses its protection, so the command is ended within a tenth of a second.

mod aside;
#[cfg(feature = "launcher-before-main")]
mod before_main;
mod broker;
mod error;
mod frame;
mod launcher;
mod placeholders;
mod plan;
mod process;
mod removal;
mod run_directory;
mod rung;
mod sandbox;
mod settings;

pub use aside::{Aside, Change, ChangeKind};
pub use broker::host;
pub use error::SandboxError;
pub use launcher::launcher_main;
pub use plan::{Ended, How, Limit};
pub use process::{Child, Input, Output, Piece, Process, Server, Stream};
pub use rung::{Missed, Rung, Standing};
pub use sandbox::{Reach, Sandbox, ServerCommand};
pub use settings::{Limits, Missing, Protected, Settings};
