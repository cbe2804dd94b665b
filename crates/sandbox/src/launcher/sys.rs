//! System calls that no crate offers. All of the unsafe code of krabba is here, and every function is safe to call.

#![allow(unsafe_code, reason = "system calls without a safe wrapper")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::process::Pid;

/// Which side of a fork this is.
pub(super) enum Side {
    /// The one that was there before.
    Parent(Pid),
    /// The new one.
    Child,
}

/// Forks, the child in new namespaces where `namespaces` (`CLONE_NEW*`) says so.
pub(super) fn fork(namespaces: libc::c_int) -> io::Result<Side> {
    let flags = libc::c_long::from(namespaces | libc::SIGCHLD);
    // SAFETY: The launcher has a single thread, so that the child finds no lock that somebody holds. Without a stack of its own
    // and without CLONE_VM the child goes on in a copy of this one, as after fork(2).
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match i32::try_from(pid).map_err(io::Error::other)? {
        0 => Ok(Side::Child),
        pid => Pid::from_raw(pid).filter(|_| pid > 0).map(Side::Parent).ok_or_else(io::Error::last_os_error),
    }
}

/// `struct mount_attr` of mount_setattr(2).
#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Adds attributes (`MOUNT_ATTR_*`) to the mount behind `mount`, and to those below it. With `owner`, a user namespace, also makes the
/// ids of its files those that they are in there.
pub(super) fn set_mount_attributes(mount: BorrowedFd<'_>, attributes: u64, owner: Option<BorrowedFd<'_>>, depth: Depth) -> io::Result<()> {
    let idmap = if owner.is_some() { libc::MOUNT_ATTR_IDMAP } else { 0 };
    let userns_fd = owner.map_or(0, |owner| u64::try_from(owner.as_raw_fd()).unwrap_or_default());
    let attr = MountAttr { attr_set: attributes | idmap, attr_clr: 0, propagation: 0, userns_fd };
    let flags = match depth {
        Depth::This => libc::AT_EMPTY_PATH,
        Depth::All => libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
    };
    // SAFETY: `attr` and the empty path outlive the call, and the size is that of `attr`.
    let done =
        unsafe { libc::syscall(libc::SYS_mount_setattr, mount.as_raw_fd(), c"".as_ptr(), flags, &raw const attr, size_of::<MountAttr>()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How far attributes reach.
#[derive(Clone, Copy)]
pub(super) enum Depth {
    /// This mount.
    This,
    /// And those below it.
    All,
}

/// Closes every descriptor from 3 on.
pub(super) fn close_inherited() -> io::Result<()> {
    // SAFETY: Called first thing in the launcher, when nothing of this program owns a descriptor above 2.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Marks every descriptor from 3 on to be closed by the next exec.
pub(super) fn close_on_exec() -> io::Result<()> {
    // SAFETY: Nothing is closed now, and after exec there is nobody to miss a descriptor.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Switches the loopback interface of this network namespace on.
pub(super) fn switch_loopback_on(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: An all-zero `ifreq` is a valid one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = libc::c_char::try_from(*from).unwrap_or_default();
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP).unwrap_or_default();
    // SAFETY: SIOCSIFFLAGS reads an `ifreq`, which outlives the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
