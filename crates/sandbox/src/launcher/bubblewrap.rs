//! The second rung: `bwrap` makes the namespaces and the tree, where the system lets nobody else do so (Ubuntu's AppArmor profile
//! names `/usr/bin/bwrap` and no other program). What it starts in there is krabba's inside, which does the rest.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio as Streams};

use rustix::process::Pid;

use super::tree::{self, Access, What};
use super::{INSIDE, Started};
use crate::frame::Outgoing;
use crate::plan::Plan;

/// Never looked up by a name: this is the one that a system administrator vouches for.
const PROGRAM: &str = "/usr/bin/bwrap";

/// Where krabba's own program stands inside.
const SELF: &str = "/run/krabba";

/// What it complains about, in the run's private directory.
const COMPLAINT: &str = "bwrap.log";

pub(super) fn start(plan: &Plan, streams: &[OwnedFd], ours: OwnedFd, theirs: OwnedFd) -> io::Result<Started> {
    if !Path::new(PROGRAM).exists() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no {PROGRAM} (package bubblewrap)")));
    }
    if rustix::process::geteuid().is_root() {
        return Err(io::Error::other("for root it would keep root's rights; run krabba as an ordinary user"));
    }
    let arguments = arguments(plan)?;
    #[allow(clippy::disallowed_methods, reason = "the launcher owns it: it is waited for, and killed with everything in it")]
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear().stdin(theirs).stdout(Streams::null()).stderr(File::create(plan.private.join(COMPLAINT))?);
    let child = command.spawn()?;
    let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("no process"))?;
    let streams: Vec<BorrowedFd<'_>> = streams.iter().map(AsFd::as_fd).collect();
    // Should it be gone already, what it complained about says more than that its socket is closed.
    let _ = Outgoing::new(plan, &streams)?.push_all(&ours);
    Ok(Started { process, socket: ours })
}

/// The last thing that it complained about.
pub(super) fn complaint(private: &Path) -> Option<String> {
    let log = fs::read_to_string(private.join(COMPLAINT)).ok()?;
    log.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned)
}

fn arguments(plan: &Plan) -> io::Result<Vec<String>> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mut arguments = Arguments::default();
    for flag in ["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"] {
        arguments.add([flag]);
    }
    arguments.add(["--die-with-parent"]);
    arguments.add(["--as-pid-1"]);
    arguments.add(["--cap-drop", "ALL"]);
    arguments.add(["--hostname", "krabba"]);
    arguments.add(["--proc", "/proc"]);
    arguments.add(["--ro-bind", "/proc/sys", "/proc/sys"]);
    for place in tree::MASKED.map(|name| format!("/proc/{name}")) {
        if Path::new(&place).is_file() {
            arguments.add(["--ro-bind", "/dev/null", &place]);
        }
    }
    arguments.add(["--dev", "/dev"]);
    for (size, at) in [(plan.limits.scratch_bytes, "/tmp"), (plan.limits.scratch_bytes / 4, "/dev/shm")] {
        arguments.add(["--perms", "1777", "--size", &size.to_string(), "--tmpfs", at]);
    }
    arguments.add(["--perms", "0700", "--dir", "/tmp/home"]);
    arguments.add(["--symlink", "/tmp", "/var/tmp"]);
    let etc = plan.private.join("etc");
    fs::create_dir_all(&etc)?;
    for (name, content) in tree::made_up(user, group, &plan.tree) {
        fs::write(etc.join(name), content)?;
        arguments.add(["--ro-bind", text(&etc.join(name))?, &format!("/etc/{name}")]);
    }
    let mut covered = Vec::new();
    for step in tree::steps(&plan.tree) {
        let at = text(&step.at)?;
        match step.what {
            What::Link(target) => arguments.add(["--symlink", text(&target)?, at]),
            What::Show(Access::Read, _) | What::Lock => arguments.add(["--ro-bind", at, at]),
            What::Show(Access::Write, _) | What::Pin => arguments.add(["--bind", at, at]),
            What::Apart => return Err(io::Error::other("changes cannot be kept apart")),
            What::Cover if !visible(plan, &step.at) => {}
            What::Cover if step.at.is_dir() => {
                arguments.add(["--size", "1048576", "--tmpfs", at]);
                covered.push(at.to_owned());
            }
            What::Cover => arguments.add(["--ro-bind", "/dev/null", at]),
        }
    }
    arguments.add(["--ro-bind", text(&std::env::current_exe()?)?, SELF]);
    for at in covered {
        arguments.add(["--remount-ro", &at]);
    }
    arguments.add(["--remount-ro", "/"]);
    arguments.add(["--chdir", "/", "--", SELF, INSIDE]);
    Ok(arguments.0)
}

/// Whether anything would be seen at a place that is to be covered.
fn visible(plan: &Plan, at: &Path) -> bool {
    let shown = tree::writable(&plan.tree).into_iter().chain(plan.tree.readable.iter().cloned());
    shown.chain(tree::system().into_iter().map(|step| step.at)).any(|place: PathBuf| at.starts_with(place))
}

#[derive(Default)]
struct Arguments(Vec<String>);

impl Arguments {
    fn add<const N: usize>(&mut self, words: [&str; N]) {
        self.0.extend(words.map(str::to_owned));
    }
}

fn text(path: &Path) -> io::Result<&str> {
    path.to_str().ok_or_else(|| io::Error::other("a path that is no text"))
}
