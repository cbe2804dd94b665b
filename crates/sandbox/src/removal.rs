//! Removes trees that a hostile command may have made.
//!
//! However deep they are, neither the stack nor the number of open files grows with that: what lies in a directory's directories is moved
//! up, level by level, until nothing is below. Links are removed, never followed; no name has to be text; modes that forbid it are changed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;

/// Removes what is at `name` in `parent`, with everything in it; no matter if nothing is.
pub(crate) fn remove(parent: impl AsFd, name: &OsStr) -> io::Result<()> {
    if unlinked(&parent, name)? {
        return Ok(());
    }
    let top = opened(&parent, name)?;
    let mut number = 0_u64;
    loop {
        let mut is_empty = true;
        for name in names(&top)? {
            if unlinked(&top, &name)? {
                continue;
            }
            let directory = opened(&top, &name)?;
            for below in names(&directory)? {
                if !unlinked(&directory, &below)? {
                    // Only where it may be written to can it be moved.
                    opened(&directory, &below)?;
                    lift(&directory, &below, &top, &mut number)?;
                    is_empty = false;
                }
            }
            unlinkat(&top, &name, AtFlags::REMOVEDIR)?;
        }
        if is_empty {
            break;
        }
    }
    Ok(unlinkat(&parent, name, AtFlags::REMOVEDIR)?)
}

/// Whether nothing is there any more; a directory is.
fn unlinked(parent: impl AsFd, name: &OsStr) -> io::Result<bool> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR | Errno::PERM) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A directory, which its owner may do everything with from now on.
fn opened(parent: impl AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = openat(&parent, name, flags | OFlags::PATH, Mode::empty())?;
    // By its handle: a name could lead elsewhere by now.
    std::fs::set_permissions(format!("/proc/self/fd/{}", handle.as_raw_fd()), std::fs::Permissions::from_mode(0o700))?;
    Ok(openat(&handle, ".", flags | OFlags::RDONLY, Mode::empty())?)
}

fn lift(from: &OwnedFd, name: &OsStr, to: &OwnedFd, number: &mut u64) -> io::Result<()> {
    loop {
        *number += 1;
        // What it may take the place of is an empty directory, which has to go as well.
        match renameat(from, name, to, format!(".up-{number}")) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn names(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use rustix::fs::{CWD, Mode, OFlags, mkdirat, open, openat};

    use super::remove;

    #[test]
    fn whatever_a_command_made_goes_and_nothing_else() {
        let room = tempfile::tempdir().unwrap();
        let tree = room.path().join("tree");
        fs::create_dir(&tree).unwrap();
        fs::write(room.path().join("mine"), "mine").unwrap();
        symlink(room.path().join("mine"), tree.join("link")).unwrap();
        symlink(room.path(), tree.join("way out")).unwrap();
        fs::create_dir(tree.join(".up-1")).unwrap();
        fs::write(tree.join(OsStr::from_bytes(b"\xff")), "no text").unwrap();
        // Deeper than there are descriptors, and than a stack is long.
        let mut at = open(&tree, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..20_000 {
            mkdirat(&at, "d", Mode::from_raw_mode(0o700)).unwrap();
            at = openat(&at, "d", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        fs::create_dir_all(tree.join("closed/below")).unwrap();
        fs::set_permissions(tree.join("closed/below"), fs::Permissions::from_mode(0o000)).unwrap();
        fs::set_permissions(tree.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
        remove(CWD, tree.as_os_str()).unwrap();
        assert!(!tree.exists());
        assert_eq!(fs::read_to_string(room.path().join("mine")).unwrap(), "mine");
        remove(CWD, tree.as_os_str()).unwrap();
    }
}
