//! Ways out by other processes: reading, steering, signalling, outliving.

use std::fs;
use std::time::Duration;

use super::Control::{Bare, Nothing, Root};
use super::{Attack, Got, Scene, Setting, any, at, c, call, raw, reaches, refused, words};

const KCMP_FILE: usize = 0;

pub(crate) const ATTACKS: &[Attack] = &[
    Attack::new("ptrace-attach", Bare, |scene| traced(scene.victim.pid, libc::PTRACE_ATTACH as usize)),
    Attack::new("ptrace-seize", Bare, |scene| traced(scene.victim.pid, libc::PTRACE_SEIZE as usize)),
    Attack::new("ptrace-keeper", Nothing, |_| any([1, keeper()].map(|pid| traced(pid, libc::PTRACE_SEIZE as usize)))),
    Attack::new("process-vm-readv", Bare, |scene| moved(libc::SYS_process_vm_readv, scene)),
    Attack::new("process-vm-writev", Bare, |scene| moved(libc::SYS_process_vm_writev, scene)),
    Attack::new("pidfd-getfd", Bare, |scene| {
        let process = raw(libc::SYS_pidfd_open, [scene.victim.pid as usize, 0]).map_err(words)?;
        let stolen = raw(libc::SYS_pidfd_getfd, [process, scene.victim.descriptor as usize, 0]).map_err(words)?;
        let mut bytes = [0_u8; 16];
        call(libc::SYS_pread64, [stolen, bytes.as_mut_ptr() as usize, bytes.len(), 0])
    }),
    Attack::new("pidfd-getfd-keeper", Nothing, |_| {
        let process = raw(libc::SYS_pidfd_open, [keeper() as usize, 0]).map_err(words)?;
        any((0..16).map(|number| call(libc::SYS_pidfd_getfd, [process, number, 0])))
    }),
    Attack::new("signal", Bare, |scene| call(libc::SYS_kill, [scene.victim.pid as usize, libc::SIGTERM as usize])),
    Attack::new("signal-stop", Bare, |scene| call(libc::SYS_kill, [scene.victim.pid as usize, libc::SIGSTOP as usize])),
    Attack::new("signal-kill", Bare, |scene| call(libc::SYS_kill, [scene.victim.pid as usize, libc::SIGKILL as usize])),
    // Ignored by whoever does not ask for it, so that a sandbox that fails harms nobody. It counts whom it reaches.
    Attack::new("signal-everybody", Nothing, |_| {
        let _ = call(libc::SYS_kill, [usize::MAX, libc::SIGURG as usize]);
        Err("seen from outside".to_owned())
    }),
    Attack::new("signal-group", Bare, |scene| {
        let group = raw(libc::SYS_getpgid, [scene.victim.pid as usize]).map_err(words)?;
        call(libc::SYS_kill, [group.wrapping_neg(), libc::SIGURG as usize])
    }),
    Attack::new("signal-thread", Bare, |scene| {
        let pid = scene.victim.pid as usize;
        any([call(libc::SYS_tgkill, [pid, pid, libc::SIGURG as usize]), call(libc::SYS_tkill, [pid, libc::SIGURG as usize])])
    }),
    Attack::new("signal-queued", Bare, |scene| {
        let mut info = [0_i32; 32];
        (info[0], info[2]) = (libc::SIGURG, -1);
        call(libc::SYS_rt_sigqueueinfo, [scene.victim.pid as usize, libc::SIGURG as usize, info.as_ptr() as usize])
    }),
    Attack::new("signal-by-pidfd", Bare, |scene| {
        let process = raw(libc::SYS_pidfd_open, [scene.victim.pid as usize, 0]).map_err(words)?;
        call(libc::SYS_pidfd_send_signal, [process, libc::SIGURG as usize, 0, 0])
    }),
    Attack::new("signal-by-file-owner", Bare, by_owner),
    Attack::new("limits-of-others", Bare, |scene| {
        let lower = [17_u64, 17];
        call(libc::SYS_prlimit64, [scene.victim.pid as usize, libc::RLIMIT_NOFILE as usize, lower.as_ptr() as usize, 0])
    }),
    Attack::new("priority-of-others", Bare, |scene| call(libc::SYS_setpriority, [0, scene.victim.pid as usize, 15])),
    // Whoever it reaches is looked at from outside; without a sandbox it would be everybody.
    Attack::new("priority-of-the-user", Nothing, |_| {
        let _ = call(libc::SYS_setpriority, [2, 0, 7]);
        Err("seen from outside".to_owned())
    }),
    Attack::new("disk-priority-of-others", Bare, |scene| call(libc::SYS_ioprio_set, [1, scene.victim.pid as usize, (3 << 13) | 7])),
    Attack::new("scheduling-of-others", Bare, |scene| {
        let parameters = [0_i32];
        call(libc::SYS_sched_setscheduler, [scene.victim.pid as usize, libc::SCHED_BATCH as usize, parameters.as_ptr() as usize])
    }),
    Attack::new("processors-of-others", Bare, |scene| {
        let first = [1_u64; 1];
        call(libc::SYS_sched_setaffinity, [scene.victim.pid as usize, 8, first.as_ptr() as usize])
    }),
    Attack::new("realtime", Root, |_| {
        let parameters = [1_i32];
        call(libc::SYS_sched_setscheduler, [0, libc::SCHED_FIFO as usize, parameters.as_ptr() as usize])
    }),
    Attack::new("kcmp", Bare, |scene| {
        refused(raw(libc::SYS_kcmp, [scene.victim.pid as usize, scene.victim.pid as usize, KCMP_FILE, 0, 1]))
    }),
    Attack::new("move-pages", Bare, |scene| {
        let (page, mut node) = ([scene.victim.address & !4095], [0_i32]);
        refused(raw(libc::SYS_move_pages, [scene.victim.pid as usize, 1, page.as_ptr() as usize, 0, node.as_mut_ptr() as usize, 0]))
    }),
    Attack::new("process-madvise", Root, |scene| {
        let process = raw(libc::SYS_pidfd_open, [scene.victim.pid as usize, 0]).map_err(words)?;
        let piece = [scene.victim.address & !4095, 4096];
        refused(raw(libc::SYS_process_madvise, [process, piece.as_ptr() as usize, 1, libc::MADV_COLD as usize, 0]))
    }),
    Attack::new("shared-memory-system-v", Bare, |scene| {
        let segment = raw(libc::SYS_shmget, [scene.shared.0 as usize, 0, 0]).map_err(words)?;
        call(libc::SYS_shmat, [segment, 0, 0])
    }),
    Attack::new("semaphore-system-v", Bare, |scene| call(libc::SYS_semget, [scene.shared.0 as usize, 0, 0])),
    Attack::new("message-queue-system-v", Bare, |scene| call(libc::SYS_msgget, [scene.shared.0 as usize, 0])),
    Attack::new("message-queue-posix", Bare, |scene| {
        let name = c(scene.shared.1.trim_start_matches('/'));
        refused(raw(libc::SYS_mq_open, [at(&name), libc::O_RDWR as usize, 0, 0]))
    }),
    Attack::new("shared-memory-posix", Bare, |scene| super::read(format!("/dev/shm{}", scene.shared.1))),
    Attack::new("daemon-outlives", Bare, |scene| outlive(scene, 0)),
    Attack::new("sibling-outlives", Nothing, |scene| outlive(scene, libc::CLONE_PARENT)),
    Attack::new("keeper-killed", Nothing, |scene| {
        let holds = outlive(scene, 0);
        let _ = call(libc::SYS_kill, [keeper() as usize, libc::SIGKILL as usize]);
        let _ = call(libc::SYS_kill, [1, libc::SIGKILL as usize]);
        std::thread::sleep(Duration::from_millis(300));
        holds
    })
    .within(Setting::Brief),
    Attack::new("keeper-stopped", Nothing, |scene| {
        let holds = outlive(scene, 0);
        let _ = call(libc::SYS_kill, [keeper() as usize, libc::SIGSTOP as usize]);
        std::thread::sleep(Duration::from_millis(300));
        holds
    })
    .within(Setting::Brief),
];

fn keeper() -> i32 {
    rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get())
}

fn traced(pid: i32, request: usize) -> Got {
    let done = call(libc::SYS_ptrace, [request, pid as usize, 0, 0])?;
    // Only asked whether it may: nobody stays stopped.
    let _ = call(libc::SYS_ptrace, [libc::PTRACE_DETACH as usize, pid as usize, 0, 0]);
    Ok(done)
}

fn moved(number: libc::c_long, scene: &Scene) -> Got {
    let mut here = *b"owned by somebody else, 32 bytes";
    let (local, remote) = ([here.as_mut_ptr() as usize, here.len()], [scene.victim.address, here.len()]);
    call(number, [scene.victim.pid as usize, local.as_ptr() as usize, 1, remote.as_ptr() as usize, 1, 0])?;
    Ok(String::from_utf8_lossy(&here).into_owned())
}

/// The owner of a pipe gets a signal when something comes; whoever holds it says who that is.
fn by_owner(scene: &Scene) -> Got {
    let mut pair = [0_i32; 2];
    call(libc::SYS_pipe2, [pair.as_mut_ptr() as usize, 0])?;
    let reader = pair[0] as usize;
    call(libc::SYS_fcntl, [reader, libc::F_SETOWN as usize, scene.victim.pid as usize])?;
    call(libc::SYS_fcntl, [reader, libc::F_SETFL as usize, libc::O_ASYNC as usize])?;
    call(libc::SYS_write, [pair[1] as usize, b"x".as_ptr() as usize, 1])?;
    Err("seen from outside".to_owned())
}

/// One that has another parent tells that one.
fn signal_or(flags: i32) -> i32 {
    if flags == 0 { libc::SIGCHLD } else { flags }
}

/// Leaves somebody behind who holds a lock for as long as they live.
fn outlive(scene: &Scene, flags: i32) -> Got {
    let lock = fs::File::create(scene.workspace.join("open/lock")).map_err(words)?;
    let child = raw(libc::SYS_clone, [signal_or(flags) as usize, 0, 0, 0, 0]).map_err(words)?;
    if child == 0 {
        let _ = call(libc::SYS_setsid, []);
        let _ = rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive);
        // Nothing that it holds is to keep anybody waiting.
        for descriptor in 0..3 {
            let _ = call(libc::SYS_close, [descriptor]);
        }
        std::thread::sleep(Duration::from_secs(5));
        std::process::exit(0);
    }
    std::thread::sleep(Duration::from_millis(100));
    let _ = reaches(libc::SYS_getpid, []);
    Err("seen from outside".to_owned())
}
