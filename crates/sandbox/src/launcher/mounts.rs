//! The first rung's tree, made from nothing with the kernel's mount calls, on handles instead of paths wherever a path could be
//! turned into another one meanwhile.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, statat, symlinkat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount, open_tree, unmount,
};

use super::namespaces::{Sources, attributes, copy, named};
use super::sys::{self, Depth};
use super::tree::{self, Access, Step, What, Whose};
use crate::aside::{UPPER, WORK};
use crate::plan::Plan;

/// Where the lowest layers of a workspace stand while they are put together.
const LAYERS: &str = ".layers";

/// Devices that do no harm.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Links in `/dev`.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Where the new root begins: any directory that is there. What is below it is out of sight from then on.
const FOOTHOLD: &str = "/usr";

/// A step, with what it puts there.
type Ready = (Step, Option<OwnedFd>);

/// Makes the tree and moves in. Everything else is out of sight afterwards.
pub(super) fn build(plan: &Plan, sources: Sources) -> io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let Sources { identity, mut ready } = sources;
    let mut take = |path: &Path, access| ready.remove(path).map_or_else(|| copy(path, access, None), Ok);
    let layers: Vec<OwnedFd> = tree::layers(&plan.tree).iter().map(|(path, ..)| take(path, Access::Write)).collect::<io::Result<_>>()?;
    let mut steps: Vec<Ready> = Vec::new();
    for step in tree::steps(&plan.tree) {
        let mount = match step.what {
            What::Show(access, whose) => match take(&step.at, access) {
                // The system's own are taken as they come.
                Err(_) if whose == Whose::System => continue,
                mount => Some(mount.map_err(|error| named(&step.at.display().to_string(), &error))?),
            },
            What::Apart => Some(take(&step.at, Access::Read)?),
            What::Link(_) | What::Pin | What::Lock | What::Cover => None,
        };
        steps.push((step, mount));
    }

    let root = tmpfs(8 << 20, 0o755)?;
    attach(root.as_fd(), FOOTHOLD)?;
    rustix::process::chdir(FOOTHOLD)?;
    let mut made = vec![root];
    base(plan, identity.user, identity.group)?;
    for (step, mount) in steps {
        let what = step.at.display().to_string();
        put(&step.at, step.what, mount, &layers, &mut made).map_err(|error| named(&what, &error))?;
    }
    rustix::process::pivot_root(".", ".").map_err(|error| named("pivot_root", &error))?;
    unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    for mount in &made {
        sys::set_mount_attributes(mount.as_fd(), libc::MOUNT_ATTR_RDONLY, None, Depth::This)?;
    }
    Ok(())
}

fn base(plan: &Plan, user: u32, group: u32) -> io::Result<()> {
    for directory in ["proc", "dev", "tmp", "etc", "run", "var"] {
        mkdirat(CWD, directory, Mode::from_raw_mode(0o755))?;
    }
    for (at, target) in [("var/tmp", "/tmp"), ("var/run", "/run")] {
        symlinkat(target, CWD, at)?;
    }
    let proc = fresh("proc", &[], MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC)
        .map_err(|error| named("a fresh /proc", &error))?;
    attach(proc.as_fd(), "proc")?;
    // Nothing in there is of use to a command, and the owner of a namespace may write some of it.
    let settings = open_tree(CWD, "proc/sys", clone_flags())?;
    sys::set_mount_attributes(settings.as_fd(), attributes(Access::Read), None, Depth::All)?;
    attach(settings.as_fd(), "proc/sys")?;

    devices()?;
    for place in tree::MASKED.map(|name| Path::new("proc").join(name)).iter().filter(|place| place.is_file()) {
        attach(open_tree(CWD, "dev/null", clone_flags())?.as_fd(), place)?;
    }
    attach(tmpfs(plan.limits.scratch_bytes, 0o1777)?.as_fd(), "tmp")?;
    mkdirat(CWD, "tmp/home", Mode::from_raw_mode(0o700))?;
    attach(tmpfs(plan.limits.scratch_bytes / 4, 0o1777)?.as_fd(), "dev/shm")?;
    for (name, content) in tree::made_up(user, group, &plan.tree) {
        write(Path::new("etc"), name, &content)?;
    }
    Ok(())
}

fn write(directory: &Path, name: &str, content: &str) -> io::Result<()> {
    let file =
        openat(CWD, directory.join(name), OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC, Mode::from_raw_mode(0o644))?;
    File::from(file).write_all(content.as_bytes())
}

fn devices() -> io::Result<()> {
    for name in DEVICES {
        let at = format!("dev/{name}");
        drop(openat(CWD, &at, OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::from_raw_mode(0o644))?);
        let device = open_tree(CWD, format!("/dev/{name}"), clone_flags())?;
        sys::set_mount_attributes(device.as_fd(), libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC, None, Depth::This)?;
        attach(device.as_fd(), &at)?;
    }
    for directory in ["dev/pts", "dev/shm"] {
        mkdirat(CWD, directory, Mode::from_raw_mode(0o755))?;
    }
    let terminals = fresh(
        "devpts",
        &[("mode", "620"), ("ptmxmode", "666"), ("newinstance", "")],
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC,
    )?;
    attach(terminals.as_fd(), "dev/pts")?;
    for (name, target) in DEVICE_LINKS {
        symlinkat(target, CWD, format!("dev/{name}"))?;
    }
    Ok(())
}

/// Takes one step.
fn put(at: &Path, what: What, mount: Option<OwnedFd>, layers: &[OwnedFd], made: &mut Vec<OwnedFd>) -> io::Result<()> {
    match (what, mount) {
        (What::Link(target), _) => {
            let (parent, name) = parent(at)?;
            Ok(symlinkat(target, parent, name)?)
        }
        (What::Show(..), Some(mount)) => attach_to(mount.as_fd(), place_for(mount.as_fd(), at)?.as_fd()),
        (What::Apart, Some(workspace)) => apart(workspace.as_fd(), layers, at),
        (What::Pin, _) => again(at, Access::Write),
        (What::Lock, _) => again(at, Access::Read),
        (What::Cover, _) => cover(at, made),
        (What::Show(..) | What::Apart, None) => Err(io::Error::other("its source is missing")),
    }
}

/// A mount over itself.
fn again(at: &Path, access: Access) -> io::Result<()> {
    let place = find(at)?;
    let mount = open_tree(&place, "", clone_flags() | OpenTreeFlags::AT_EMPTY_PATH)?;
    sys::set_mount_attributes(mount.as_fd(), attributes(access), None, Depth::All)?;
    attach_to(mount.as_fd(), place.as_fd())
}

/// Puts something empty over a place, if it can be seen at all.
fn cover(at: &Path, made: &mut Vec<OwnedFd>) -> io::Result<()> {
    let place = match find(at) {
        Ok(place) => place,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let status = statat(&place, "", AtFlags::EMPTY_PATH)?;
    if rustix::fs::FileType::from_raw_mode(status.st_mode).is_dir() {
        let empty = tmpfs(1 << 20, 0o755)?;
        attach_to(empty.as_fd(), place.as_fd())?;
        // Read-only when everything that lies in it is there.
        made.push(empty);
        return Ok(());
    }
    let empty = open_tree(CWD, "dev/null", clone_flags())?;
    attach_to(empty.as_fd(), place.as_fd())
}

/// The workspace with its changes going elsewhere. `layers` are the directories of changes, the own one first.
fn apart(workspace: BorrowedFd<'_>, layers: &[OwnedFd], at: &Path) -> io::Result<()> {
    mkdirat(CWD, LAYERS, Mode::from_raw_mode(0o700))?;
    let names: Vec<String> = (0..=layers.len()).map(|number| format!("{LAYERS}/{number}")).collect();
    for (name, mount) in names.iter().zip(layers.iter().map(AsFd::as_fd).chain([workspace])) {
        mkdirat(CWD, name.as_str(), Mode::from_raw_mode(0o700))?;
        attach(mount, name)?;
    }
    let own = names.first().map_or("", String::as_str);
    let lowest = names.last().map_or("", String::as_str);
    let earlier = names.iter().skip(1).take(layers.len() - 1).map(|name| format!("{name}/{UPPER}"));
    let below: Vec<String> = earlier.chain([lowest.to_owned()]).collect();
    let (upper, work, together) = (format!("{own}/{UPPER}"), format!("{own}/{WORK}"), below.join(":"));
    let over = |below: Vec<(&str, &str)>| {
        let options = [below, vec![("upperdir", &upper), ("workdir", &work), ("userxattr", "")]].concat();
        fresh("overlay", &options, MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV)
    };
    let overlay = match over(below.iter().map(|layer| ("lowerdir+", layer.as_str())).collect()) {
        // Older kernels know no such option, and take them together only, in no more than 255 bytes: fifteen.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => over(vec![("lowerdir", &together)]),
        overlay => overlay,
    };
    let overlay = overlay.map_err(|error| named("changes cannot be kept apart", &error))?;
    attach_to(overlay.as_fd(), place_for(overlay.as_fd(), at)?.as_fd())?;
    // The overlay has its own hold on its layers.
    for name in &names {
        unmount(name.as_str(), UnmountFlags::DETACH)?;
        rustix::fs::unlinkat(CWD, name.as_str(), AtFlags::REMOVEDIR)?;
    }
    Ok(rustix::fs::unlinkat(CWD, LAYERS, AtFlags::REMOVEDIR)?)
}

fn clone_flags() -> OpenTreeFlags {
    OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE
}

fn tmpfs(bytes: u64, mode: u32) -> io::Result<OwnedFd> {
    let size = bytes.to_string();
    // Names take memory too.
    let names = (bytes / 4096).clamp(1024, 1 << 18).to_string();
    fresh(
        "tmpfs",
        &[("size", &size), ("nr_inodes", &names), ("mode", &format!("{mode:o}"))],
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV,
    )
}

/// A file system of its own; options without a value are flags.
fn fresh(kind: &str, options: &[(&str, &str)], attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        if value.is_empty() { fsconfig_set_flag(context.as_fd(), *key)? } else { fsconfig_set_string(context.as_fd(), *key, *value)? }
    }
    fsconfig_create(context.as_fd())?;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

fn attach(mount: BorrowedFd<'_>, at: impl AsRef<Path>) -> io::Result<()> {
    Ok(move_mount(mount, "", CWD, at.as_ref(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

fn attach_to(mount: BorrowedFd<'_>, place: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount, "", place, "", flags)?)
}

/// What is seen at `at` inside; never through a link.
fn find(at: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat2(CWD, within(at), flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?)
}

/// Relative to the new root, in which this process stands.
fn within(at: &Path) -> PathBuf {
    let parts: PathBuf = at.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    if parts.as_os_str().is_empty() { PathBuf::from(".") } else { parts }
}

/// The directory for `at`, made where it is missing, and the last part of its name.
fn parent(at: &Path) -> io::Result<(OwnedFd, PathBuf)> {
    let within = within(at);
    let name = within.file_name().map(PathBuf::from).ok_or_else(|| io::Error::other("the root is no place"))?;
    let mut here = find(Path::new("/"))?;
    for part in within.parent().into_iter().flat_map(Path::components) {
        let part = part.as_os_str();
        match mkdirat(&here, part, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            // Read-only, but it may be there.
            Err(Errno::ROFS | Errno::ACCESS) => {}
            Err(error) => return Err(error.into()),
        }
        here = openat(&here, part, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    }
    Ok((here, name))
}

/// A place for `mount` at `at`, of the same kind, made where it is missing.
fn place_for(mount: BorrowedFd<'_>, at: &Path) -> io::Result<OwnedFd> {
    let (parent, name) = parent(at)?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if let Ok(place) = openat(&parent, &name, flags, Mode::empty()) {
        return Ok(place);
    }
    let status = statat(mount, "", AtFlags::EMPTY_PATH)?;
    if rustix::fs::FileType::from_raw_mode(status.st_mode).is_dir() {
        mkdirat(&parent, &name, Mode::from_raw_mode(0o755))?;
    } else {
        drop(openat(&parent, &name, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC, Mode::from_raw_mode(0o644))?);
    }
    Ok(openat(&parent, &name, flags, Mode::empty())?)
}
