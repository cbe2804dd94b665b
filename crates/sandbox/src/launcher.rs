//! The program between krabba and a command.
//!
//! krabba has many threads, and between fork and exec hardly anything is allowed to a program with threads. So it starts itself
//! once more, with a hidden first argument, and that copy – one thread, nothing of krabba's memory – makes the sandbox. There are
//! two roles:
//!
//! - The **launcher** ([`supervise`]) stays outside. It prepares, starts the inside, watches over time, memory, processes and disk,
//!   and ends everything when a limit is reached, when krabba says so, or when krabba is gone: then its end of the socket closes.
//! - The **inside** ([`init`]) sets up what the command sees, ties its own hands, starts the command, and is its parent; where there
//!   is a process namespace it is number 1 in it, so that its end is the end of everything in there.

mod bubblewrap;
mod cage;
mod init;
mod mounts;
mod namespaces;
mod sys;
mod syscalls;
mod tree;
mod watch;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus};

use crate::frame::{Incoming, Outgoing};
use crate::plan::{Ended, Limit, Plan, Report};
use crate::{Rung, launcher::watch::Watch};

/// First argument of the launcher.
pub(crate) const LAUNCH: &str = "--krabba-sandbox-launch";

/// First argument of the inside, where another program makes the namespaces.
pub(crate) const INSIDE: &str = "--krabba-sandbox-inside";

/// How often limits are looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long the rest may take to die.
const DYING: Duration = Duration::from_secs(5);

/// Plays the launcher if this process was started as one, and tells how it ended; `None` in every other process. A program that
/// names itself in [`Settings::launcher`](crate::Settings::launcher) calls this before anything else.
pub fn launcher_main() -> Option<ExitCode> {
    let role = std::env::args_os().nth(1)?;
    let done = if role == LAUNCH {
        sys::close_inherited().and_then(|()| supervise())
    } else if role == INSIDE {
        sys::close_inherited().and_then(|()| inside())
    } else {
        return None;
    };
    Some(if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Descriptors that travel with a plan: the command's standard streams, or none where it gets a terminal.
type Streams = Vec<OwnedFd>;

/// Takes the socket that is standard input, and leaves nothing there.
fn take_socket() -> io::Result<OwnedFd> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(socket)
}

fn tell(socket: BorrowedFd<'_>, report: &Report, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    Outgoing::new(report, descriptors)?.push_all(socket)
}

/// The inside, started by another program that made the namespaces.
fn inside() -> io::Result<()> {
    let socket = take_socket()?;
    let (plan, streams) = Incoming::default().pull_all::<Plan>(&socket)?;
    init::run(&plan, streams, socket, None)
}

/// The launcher.
fn supervise() -> io::Result<()> {
    let mut control = take_socket()?;
    // What krabba's terminal sends to its foreground group is not meant for commands.
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(Pid::from_raw(1))?;
    let (plan, mut streams) = Incoming::default().pull_all::<Plan>(&control)?;
    // Until nothing of the command is left, also where krabba is gone before.
    let _held = if plan.holds { streams.pop() } else { None };
    let started = match start(&plan, streams, &mut control) {
        Ok(started) => started,
        Err(error) => return tell(control.as_fd(), &Report::Failed { why: error.to_string() }, &[]),
    };
    let report = watch_over(&plan, started, &control)?;
    tell(control.as_fd(), &report, &[])
}

/// What was started.
struct Started {
    /// The inside, or the program that makes its namespaces.
    process: Pid,
    /// To the inside.
    socket: OwnedFd,
}

fn start(plan: &Plan, streams: Streams, control: &mut OwnedFd) -> io::Result<Started> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    match plan.rung {
        Rung::Namespaces => namespaces::start(plan, streams, ours, theirs, control),
        Rung::Bubblewrap => bubblewrap::start(plan, &streams, ours, theirs),
        Rung::LandlockSeccomp => match sys::fork(0)? {
            sys::Side::Parent(process) => Ok(Started { process, socket: ours }),
            sys::Side::Child => {
                drop(ours);
                forget(control)?;
                leave(init::run(plan, streams, theirs, None))
            }
        },
    }
}

/// In a forked child: the socket to krabba stays with the launcher alone, whose end is what krabba waits for.
fn forget(control: &mut OwnedFd) -> io::Result<()> {
    Ok(rustix::io::dup3(File::open("/dev/null")?, control, rustix::io::DupFlags::CLOEXEC)?)
}

/// Ends a forked child.
fn leave(done: io::Result<()>) -> ! {
    std::process::exit(i32::from(done.is_err()))
}

/// Waits for the end, or brings it about.
fn watch_over(plan: &Plan, started: Started, control: &OwnedFd) -> io::Result<Report> {
    let Started { process, socket } = started;
    let pidfd = rustix::process::pidfd_open(process, PidfdFlags::empty())?;
    let deadline = plan.milliseconds.map(|limit| Instant::now() + Duration::from_millis(limit));
    let mut watch = Watch::new(plan);
    let mut incoming = Incoming::default();
    let mut said: Option<Report> = None;
    let mut limit = None;
    let mut open = true;
    let mut next = Instant::now() + TICK;
    loop {
        let now = Instant::now();
        if deadline.is_some_and(|deadline| now >= deadline) {
            limit = Some(Limit::Time);
            break;
        }
        if now >= next {
            limit = watch.look();
            if limit.is_some() {
                break;
            }
            next = now + TICK;
        }
        let until = deadline.map_or(next, |deadline| deadline.min(next)).saturating_duration_since(now);
        let mut waits = vec![PollFd::new(&pidfd, PollFlags::IN), PollFd::new(control, PollFlags::IN)];
        if open {
            waits.push(PollFd::new(&socket, PollFlags::IN));
        }
        let timeout = Timespec { tv_sec: until.as_secs().try_into().unwrap_or(1), tv_nsec: until.subsec_nanos().into() };
        match poll(&mut waits, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = waits.iter().map(|wait| !wait.revents().is_empty()).collect();
        if open && ready.get(2) == Some(&true) {
            match incoming.pull::<Report>(&socket) {
                Ok(Some((Report::Running { landlock }, descriptors))) => {
                    let descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
                    tell(control.as_fd(), &Report::Running { landlock }, &descriptors)?;
                }
                Ok(Some((report, _))) => said = Some(report),
                Ok(None) => {}
                Err(_) => open = false,
            }
            continue;
        }
        // krabba says nothing here: it closes its half to have the command ended, and everything when it dies.
        if ready.get(1) == Some(&true) {
            limit = Some(Limit::Killed);
            break;
        }
        if ready.first() == Some(&true) {
            break;
        }
    }
    let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
    let status = end_all(process);
    Ok(match (said, limit) {
        (Some(report), None) => report,
        (Some(Report::Failed { why }), Some(_)) => Report::Failed { why },
        (_, Some(limit)) => Report::Ended(Ended::killed(limit)),
        (None, None) => Report::Failed { why: bubblewrap::complaint(&plan.private).unwrap_or_else(|| words(status)) },
    })
}

fn words(status: Option<WaitStatus>) -> String {
    match status {
        Some(status) => match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => format!("the inside ended with code {code} before it said a word"),
            (_, Some(signal)) => format!("the inside was ended by signal {signal}"),
            _ => "the inside ended".to_owned(),
        },
        None => "the inside went away".to_owned(),
    }
}

/// Ends everything that was started here, and waits for it. What was left without a parent has become a child of this process.
fn end_all(process: Pid) -> Option<WaitStatus> {
    let deadline = Instant::now() + DYING;
    let mut status = None;
    loop {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, its))) => {
                    if pid == process {
                        status = Some(its);
                    }
                }
                Ok(None) => break,
                // Nobody is left.
                Err(_) => return status,
            }
        }
        if Instant::now() >= deadline {
            return status;
        }
        for pid in watch::descendants() {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// One byte, with which the launcher lets the inside go on.
fn release(socket: &OwnedFd) -> io::Result<()> {
    File::from(socket.try_clone()?).write_all(&[0])
}

/// Waits for [`release`].
fn wait_for_release(socket: &OwnedFd) -> io::Result<()> {
    File::from(socket.try_clone()?).read_exact(&mut [0])
}
