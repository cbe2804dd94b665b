//! The inside: makes itself at home, ties its own hands, starts the command and waits for it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, CWD, Mode, StatxFlags, statx};
use rustix::net::{AddressFamily, SocketAddrV4, SocketFlags, SocketType, bind, listen, socket_with};
use rustix::process::{PidfdFlags, Signal, WaitOptions, WaitStatus};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use rustix::thread::{Gid, Uid};

use super::namespaces::{Sources, named};
use super::{Streams, cage, mounts, sys, tell};
use crate::Rung;
use crate::broker::PORT;
use crate::plan::{Ended, How, Limit, Plan, Report, Stdio};

/// How often protected places are looked at.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Begins a terminal at the size that programs expect where nobody says anything.
const WINDOW: Winsize = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };

/// Does everything, and tells how it went.
pub(super) fn run(plan: &Plan, streams: Streams, socket: OwnedFd, sources: Option<Sources>) -> io::Result<()> {
    let report = match begin(plan, streams, &socket, sources) {
        Ok(report) => report,
        Err(error) => Report::Failed { why: error.to_string() },
    };
    tell(socket.as_fd(), &report, &[])
}

fn begin(plan: &Plan, streams: Streams, socket: &OwnedFd, sources: Option<Sources>) -> io::Result<Report> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    if let Some(sources) = sources {
        let (user, group) = (Uid::from_raw(sources.identity.user), Gid::from_raw(sources.identity.group));
        rustix::thread::set_thread_res_gid(group, group, group).map_err(|error| named("the group could not be taken", &error))?;
        rustix::thread::set_thread_res_uid(user, user, user).map_err(|error| named("the user could not be taken", &error))?;
        // The kernel forgets it with the old user.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        rustix::system::sethostname(b"krabba").map_err(|error| named("no rights in the new namespaces", &error))?;
        mounts::build(plan, sources)?;
        loopback().map_err(|error| named("no loopback", &error))?;
    }
    if plan.rung == Rung::LandlockSeccomp {
        rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1))?;
    }
    furnish(plan).map_err(|error| named("the home directory", &error))?;
    let listener = if plan.proxy { Some(listener()?) } else { None };
    let terminal = match plan.stdio {
        Stdio::Terminal => Some(terminal().map_err(|error| named("no terminal", &error))?),
        Stdio::Pipes => None,
    };
    let locks = Locks::of(plan);
    let landlock = cage::close(plan)?;

    let (told, telling) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let command = match sys::fork(0)? {
        sys::Side::Child => {
            drop(told);
            let error = command(plan, streams, terminal.as_ref());
            let _ = File::from(telling).write_all(error.to_string().as_bytes());
            super::leave(Err(error))
        }
        sys::Side::Parent(command) => command,
    };
    drop((streams, telling));
    let mut complaint = String::new();
    File::from(told).read_to_string(&mut complaint)?;
    if !complaint.is_empty() {
        return Ok(Report::Failed { why: complaint });
    }
    let outside: Vec<BorrowedFd<'_>> = terminal.iter().map(|(master, _)| master.as_fd()).chain(listener.iter().map(AsFd::as_fd)).collect();
    tell(socket.as_fd(), &Report::Running { landlock }, &outside)?;
    drop((terminal, listener));
    wait(command, socket, &locks).map(Report::Ended)
}

/// Puts files into the home directory, which is new and nobody else's.
fn furnish(plan: &Plan) -> io::Result<()> {
    for (path, content) in &plan.home_files {
        let path = plan.home.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(&plan.home))?;
        File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(content.as_bytes())?;
    }
    Ok(())
}

/// A terminal: krabba's end and the command's.
fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
    rustix::termios::tcsetwinsize(&slave, WINDOW)?;
    Ok((master, slave))
}

/// Lets what a command serves be reached by itself. `bwrap` does so too.
fn loopback() -> io::Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sys::switch_loopback_on(socket.as_fd())
}

/// The port behind which krabba listens. A socket stays in the network that it was made in, whoever holds it.
fn listener() -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT))?;
    listen(&socket, 64)?;
    Ok(socket)
}

/// Becomes the command; returns only when that fails.
fn command(plan: &Plan, streams: Streams, terminal: Option<&(OwnedFd, OwnedFd)>) -> io::Error {
    let prepared = || -> io::Result<Command> {
        rustix::process::setsid()?;
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // Whoever is short of memory looks here first.
        let _ = std::fs::write("/proc/self/oom_score_adj", "500");
        let (program, arguments) = plan.command.split_first().ok_or_else(|| io::Error::other("no command"))?;
        #[allow(clippy::disallowed_methods, reason = "this process becomes the command; its parent waits for it")]
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(&plan.environment).current_dir(&plan.directory);
        match (plan.stdio, terminal) {
            (Stdio::Terminal, Some((_, slave))) => {
                rustix::process::ioctl_tiocsctty(slave)?;
                command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave.try_clone()?);
            }
            _ => {
                let [input, output, errors] =
                    <[OwnedFd; 3]>::try_from(streams).map_err(|_| io::Error::other("three streams are needed"))?;
                command.stdin(input).stdout(output).stderr(errors);
            }
        }
        sys::close_on_exec()?;
        cage::limit(plan)?;
        Ok(command)
    };
    match prepared() {
        Ok(mut command) => {
            let error = command.exec();
            if error.kind() == io::ErrorKind::NotFound && !plan.directory.is_dir() {
                return named(&plan.directory.display().to_string(), &error);
            }
            named(plan.command.first().map_or("", String::as_str), &error)
        }
        Err(error) => error,
    }
}

/// Waits for the command; whatever else ends meanwhile, and has no parent, is this process's to bury.
fn wait(command: rustix::process::Pid, socket: &OwnedFd, locks: &Locks) -> io::Result<Ended> {
    let pidfd = rustix::process::pidfd_open(command, PidfdFlags::empty())?;
    loop {
        let mut waits = [PollFd::new(&pidfd, PollFlags::IN), PollFd::new(socket, PollFlags::IN)];
        match poll(&mut waits, Some(&TICK)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut over = None;
        // What has lost its parent is a child of this process: when there is none any more, nothing is left.
        let left_running = loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == command => over = Some(status),
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        if let Some(status) = over {
            let (how, limit) = ended(status);
            return Ok(Ended { how, limit: if locks.hold() { limit } else { Some(Limit::Protection) }, left_running });
        }
        // The launcher is gone, and nobody watches any more.
        if !waits[1].revents().is_empty() {
            let _ = rustix::process::kill_process_group(command, Signal::KILL);
            return Ok(Ended::killed(Limit::Killed));
        }
        if !locks.hold() {
            return Ok(Ended::killed(Limit::Protection));
        }
    }
}

fn ended(status: WaitStatus) -> (How, Option<Limit>) {
    let how = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => How::Exited(code),
        (None, signal) => How::Signalled(signal.unwrap_or(Signal::KILL.as_raw())),
    };
    // A shell passes a signal of its last program on as a code.
    let by = |signal: Signal| match how {
        How::Signalled(raw) => raw == signal.as_raw(),
        How::Exited(code) => code == 128 + signal.as_raw(),
    };
    let limit = if by(Signal::XCPU) {
        Some(Limit::Cpu)
    } else if by(Signal::XFSZ) {
        Some(Limit::FileSize)
    } else {
        None
    };
    (how, limit)
}

/// The protected places, each with the mount that protects it. A mount goes away when somebody outside puts another file in the
/// place of what it stands on, as editors do.
struct Locks(Vec<(PathBuf, u64)>);

impl Locks {
    fn of(plan: &Plan) -> Self {
        if plan.rung == Rung::LandlockSeccomp {
            return Self(Vec::new());
        }
        let workspace = plan.tree.workspace.as_ref();
        let places = workspace.iter().flat_map(|workspace| workspace.protected.iter().map(|path| workspace.path.join(path)));
        Self(places.filter_map(|place| mount_of(&place).map(|mount| (place, mount))).collect())
    }

    fn hold(&self) -> bool {
        self.0.iter().all(|(place, mount)| mount_of(place) == Some(*mount))
    }
}

fn mount_of(place: &PathBuf) -> Option<u64> {
    Some(statx(CWD, place, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID).ok()?.stx_mnt_id)
}
