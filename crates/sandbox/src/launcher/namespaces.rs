//! The first rung: namespaces of our own.
//!
//! As an ordinary user, the inside keeps that user's id; nothing is mapped beside it, and no capability in there counts outside.
//! As root, it becomes somebody else: root's id alone may do much without any capability (write `/proc/sys`, start processes without
//! limit). The workspace is then shown with root's files as that somebody's, which the kernel calls an id-mapped mount.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::process::{Pid, Signal};

use super::tree::{self, Access, What, Whose};
use super::{Started, Streams, forget, init, leave, release, sys, wait_for_release};
use crate::plan::Plan;

const ALL: libc::c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// Who the inside is outside, where krabba is root: nobody.
const NOBODY: u32 = 65_534;

/// Who it is inside then.
const SOMEBODY: u32 = 1000;

/// Who the inside is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    /// User inside.
    pub(super) user: u32,
    /// Group inside.
    pub(super) group: u32,
    outer_user: u32,
    outer_group: u32,
}

impl Identity {
    fn of_this_process() -> Self {
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if user == 0 {
            Self { user: SOMEBODY, group: SOMEBODY, outer_user: NOBODY, outer_group: NOBODY }
        } else {
            Self { user, group, outer_user: user, outer_group: group }
        }
    }
}

/// What of the tree can only be prepared outside.
pub(super) struct Sources {
    /// Who the inside is.
    pub(super) identity: Identity,
    /// Places of the host, as mounts that are ready to be put in; all others the inside takes by itself.
    pub(super) ready: BTreeMap<PathBuf, OwnedFd>,
}

pub(super) fn start(plan: &Plan, streams: Streams, ours: OwnedFd, theirs: OwnedFd, control: &mut OwnedFd) -> io::Result<Started> {
    let identity = Identity::of_this_process();
    if identity.outer_user == NOBODY && rustix::process::geteuid().is_root() {
        rustix::thread::set_thread_groups(&[])?;
    }
    let sources = Sources::open(plan, identity)?;
    match sys::fork(ALL).map_err(|error| named("a user namespace could not be made", &error))? {
        sys::Side::Child => {
            drop(ours);
            leave(forget(control).and_then(|()| wait_for_release(&theirs)).and_then(|()| init::run(plan, streams, theirs, Some(sources))))
        }
        sys::Side::Parent(process) => {
            let done = identify(process, &Map::of(identity)).and_then(|()| release(&ours));
            if let Err(error) = done {
                let _ = rustix::process::kill_process(process, Signal::KILL);
                return Err(error);
            }
            Ok(Started { process, socket: ours })
        }
    }
}

/// An error with words before it.
pub(super) fn named(what: &str, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{what}: {error}"))
}

/// Lines of a user namespace's maps.
struct Map {
    users: String,
    groups: String,
}

impl Map {
    fn of(identity: Identity) -> Self {
        Self {
            users: format!("{} {} 1\n", identity.user, identity.outer_user),
            groups: format!("{} {} 1\n", identity.group, identity.outer_group),
        }
    }
}

fn identify(process: Pid, map: &Map) -> io::Result<()> {
    let place = |name: &str| format!("/proc/{}/{name}", process.as_raw_nonzero());
    // Missing on kernels that have no such protection.
    let _ = fs::write(place("setgroups"), "deny");
    fs::write(place("uid_map"), &map.users)
        .and_then(|()| fs::write(place("gid_map"), &map.groups))
        .map_err(|error| named("ids could not be mapped", &error))
}

/// A user namespace that makes root's files those of the inside.
fn root_as_nobody() -> io::Result<OwnedFd> {
    let (ours, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    match sys::fork(libc::CLONE_NEWUSER)? {
        sys::Side::Child => {
            drop(theirs);
            // Until the other side has seen enough.
            leave(wait_for_release(&ours))
        }
        sys::Side::Parent(process) => {
            let map = Map { users: format!("0 {NOBODY} 1\n"), groups: format!("0 {NOBODY} 1\n") };
            let namespace = identify(process, &map).and_then(|()| {
                Ok(open(format!("/proc/{}/ns/user", process.as_raw_nonzero()), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
            });
            let _ = rustix::process::kill_process(process, Signal::KILL);
            let _ = rustix::process::waitpid(Some(process), rustix::process::WaitOptions::empty());
            drop(theirs);
            namespace
        }
    }
}

impl Sources {
    fn open(plan: &Plan, identity: Identity) -> io::Result<Self> {
        let mut ready = BTreeMap::new();
        if rustix::process::geteuid().is_root() {
            let owner = root_as_nobody()?;
            for step in tree::steps(&plan.tree) {
                let access = match step.what {
                    What::Show(access, Whose::Owner) => access,
                    // The lowest layer cannot be written to, whatever it is.
                    What::Apart => Access::Write,
                    What::Show(_, Whose::System) | What::Link(_) | What::Pin | What::Lock | What::Cover => continue,
                };
                let mount = copy(&step.at, access, Some(&owner)).map_err(|error| named(&step.at.display().to_string(), &error))?;
                ready.insert(step.at, mount);
            }
            for (path, upper, work) in tree::layers(&plan.tree) {
                for own in [upper, work] {
                    std::os::unix::fs::chown(own, Some(NOBODY), Some(NOBODY))?;
                }
                let mount = copy(&path, Access::Write, None)?;
                ready.insert(path, mount);
            }
        }
        Ok(Self { identity, ready })
    }
}

/// A mount of what lies at `path`, to be put elsewhere. With `owner`, root's files in it are those of nobody.
pub(super) fn copy(path: &Path, access: Access, owner: Option<&OwnedFd>) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let mount = open_tree(CWD, path, flags)?;
    sys::set_mount_attributes(mount.as_fd(), attributes(access), owner.map(AsFd::as_fd), sys::Depth::All).map_err(|error| match owner {
        Some(_) => named(
            "root's files cannot be shown as another user's, so its rights cannot be kept out; run krabba as an ordinary user",
            &error,
        ),
        None => error,
    })?;
    Ok(mount)
}

/// Attributes of a mount of the host's.
pub(super) fn attributes(access: Access) -> u64 {
    let safe = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    match access {
        Access::Read => safe | libc::MOUNT_ATTR_RDONLY,
        Access::Write => safe,
    }
}
