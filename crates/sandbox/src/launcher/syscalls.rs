//! Which system calls a command may make.
//!
//! Two filters. The first knows the calls that ordinary programs make; any other does not exist (`ENOSYS`), so that programs fall
//! back to older ones and nothing that a future kernel adds is open by accident. The second refuses (`EPERM`) some of them for some
//! arguments, and names the calls whose absence would puzzle people.

use std::collections::BTreeMap;

use seccompiler::{
    SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Compare, SeccompCondition as Condition, SeccompFilter, SeccompRule,
    TargetArch,
};

use crate::Rung;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The calls that exist.
#[rustfmt::skip]
const KNOWN: &[i64] = &[
    libc::SYS_accept, libc::SYS_accept4, libc::SYS_bind, libc::SYS_brk, libc::SYS_capget, libc::SYS_capset, libc::SYS_chdir,
    libc::SYS_clock_getres, libc::SYS_clock_gettime, libc::SYS_clock_nanosleep, libc::SYS_clone, libc::SYS_close, libc::SYS_close_range,
    libc::SYS_connect, libc::SYS_copy_file_range, libc::SYS_dup, libc::SYS_dup3, libc::SYS_epoll_create1, libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2, libc::SYS_eventfd2, libc::SYS_execve, libc::SYS_execveat, libc::SYS_exit,
    libc::SYS_exit_group, libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_fadvise64, libc::SYS_fallocate, libc::SYS_fchdir,
    libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_fchown, libc::SYS_fchownat, libc::SYS_fcntl, libc::SYS_fdatasync,
    libc::SYS_fgetxattr, libc::SYS_flistxattr, libc::SYS_flock, libc::SYS_fremovexattr, libc::SYS_fsetxattr, libc::SYS_fstat,
    libc::SYS_fstatfs, libc::SYS_fsync, libc::SYS_ftruncate, libc::SYS_futex, libc::SYS_futex_waitv, libc::SYS_get_mempolicy,
    libc::SYS_get_robust_list, libc::SYS_getcpu, libc::SYS_getcwd, libc::SYS_getdents64, libc::SYS_getegid, libc::SYS_geteuid,
    libc::SYS_getgid, libc::SYS_getgroups, libc::SYS_getitimer, libc::SYS_getpeername, libc::SYS_getpgid, libc::SYS_getpid,
    libc::SYS_getppid, libc::SYS_getpriority, libc::SYS_getrandom, libc::SYS_getresgid, libc::SYS_getresuid, libc::SYS_getrlimit,
    libc::SYS_getrusage, libc::SYS_getsid, libc::SYS_getsockname, libc::SYS_getsockopt, libc::SYS_gettid, libc::SYS_gettimeofday,
    libc::SYS_getuid, libc::SYS_getxattr, libc::SYS_inotify_add_watch, libc::SYS_inotify_init1, libc::SYS_inotify_rm_watch,
    libc::SYS_ioctl, libc::SYS_ioprio_get, libc::SYS_ioprio_set, libc::SYS_kill, libc::SYS_landlock_add_rule,
    libc::SYS_landlock_create_ruleset, libc::SYS_landlock_restrict_self, libc::SYS_lgetxattr, libc::SYS_linkat, libc::SYS_listen,
    libc::SYS_listxattr, libc::SYS_llistxattr, libc::SYS_lremovexattr, libc::SYS_lseek, libc::SYS_lsetxattr, libc::SYS_madvise,
    libc::SYS_membarrier, libc::SYS_mincore, libc::SYS_mkdirat, libc::SYS_mknodat, libc::SYS_mlock, libc::SYS_mlock2,
    libc::SYS_mlockall, libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_mremap, libc::SYS_msync, libc::SYS_munlock, libc::SYS_munlockall,
    libc::SYS_munmap, libc::SYS_nanosleep, libc::SYS_newfstatat, libc::SYS_openat, libc::SYS_openat2, libc::SYS_personality,
    libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal, libc::SYS_pipe2, libc::SYS_pkey_alloc, libc::SYS_pkey_free,
    libc::SYS_pkey_mprotect, libc::SYS_ppoll, libc::SYS_prctl, libc::SYS_pread64, libc::SYS_preadv, libc::SYS_preadv2,
    libc::SYS_prlimit64, libc::SYS_pselect6, libc::SYS_pwrite64, libc::SYS_pwritev, libc::SYS_pwritev2, libc::SYS_read,
    libc::SYS_readahead, libc::SYS_readlinkat, libc::SYS_readv, libc::SYS_recvfrom, libc::SYS_recvmmsg, libc::SYS_recvmsg,
    libc::SYS_removexattr, libc::SYS_renameat, libc::SYS_renameat2, libc::SYS_restart_syscall, libc::SYS_rseq, libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigqueueinfo, libc::SYS_rt_sigreturn, libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait, libc::SYS_rt_tgsigqueueinfo, libc::SYS_sched_get_priority_max, libc::SYS_sched_get_priority_min,
    libc::SYS_sched_getaffinity, libc::SYS_sched_getattr, libc::SYS_sched_getparam, libc::SYS_sched_getscheduler,
    libc::SYS_sched_rr_get_interval, libc::SYS_sched_setaffinity, libc::SYS_sched_setattr, libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler, libc::SYS_sched_yield, libc::SYS_seccomp, libc::SYS_sendfile, libc::SYS_sendmmsg, libc::SYS_sendmsg,
    libc::SYS_sendto, libc::SYS_set_mempolicy, libc::SYS_set_robust_list, libc::SYS_set_tid_address, libc::SYS_setfsgid,
    libc::SYS_setfsuid, libc::SYS_setgid, libc::SYS_setgroups, libc::SYS_setitimer, libc::SYS_setpgid, libc::SYS_setpriority,
    libc::SYS_setregid, libc::SYS_setresgid, libc::SYS_setresuid, libc::SYS_setreuid, libc::SYS_setrlimit, libc::SYS_setsid,
    libc::SYS_setsockopt, libc::SYS_setuid, libc::SYS_setxattr, libc::SYS_shutdown, libc::SYS_sigaltstack, libc::SYS_signalfd4,
    libc::SYS_socket, libc::SYS_socketpair, libc::SYS_splice, libc::SYS_statfs, libc::SYS_statx, libc::SYS_symlinkat, libc::SYS_sync,
    libc::SYS_sync_file_range, libc::SYS_syncfs, libc::SYS_sysinfo, libc::SYS_tee, libc::SYS_tgkill, libc::SYS_timer_create,
    libc::SYS_timer_delete, libc::SYS_timer_getoverrun, libc::SYS_timer_gettime, libc::SYS_timer_settime, libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime, libc::SYS_timerfd_settime, libc::SYS_times, libc::SYS_tkill, libc::SYS_truncate, libc::SYS_umask,
    libc::SYS_uname, libc::SYS_unlinkat, libc::SYS_utimensat, libc::SYS_vmsplice, libc::SYS_wait4, libc::SYS_waitid, libc::SYS_write,
    libc::SYS_writev,
];

/// Calls that only older architectures have.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const KNOWN_HERE: &[i64] = &[
    libc::SYS_access, libc::SYS_alarm, libc::SYS_arch_prctl, libc::SYS_chmod, libc::SYS_chown, libc::SYS_creat, libc::SYS_dup2,
    libc::SYS_epoll_create, libc::SYS_epoll_wait, libc::SYS_eventfd, libc::SYS_fork, libc::SYS_futimesat, libc::SYS_getdents,
    libc::SYS_getpgrp, libc::SYS_inotify_init, libc::SYS_lchown, libc::SYS_link, libc::SYS_lstat, libc::SYS_mkdir, libc::SYS_mknod,
    libc::SYS_open, libc::SYS_pause, libc::SYS_pipe, libc::SYS_poll, libc::SYS_readlink, libc::SYS_rename, libc::SYS_rmdir,
    libc::SYS_select, libc::SYS_signalfd, libc::SYS_stat, libc::SYS_symlink, libc::SYS_time, libc::SYS_unlink, libc::SYS_utime,
    libc::SYS_utimes, libc::SYS_vfork,
];
#[cfg(not(target_arch = "x86_64"))]
const KNOWN_HERE: &[i64] = &[];

/// Calls that are refused in words.
#[rustfmt::skip]
const REFUSED: &[i64] = &[
    libc::SYS_acct, libc::SYS_add_key, libc::SYS_bpf, libc::SYS_chroot, libc::SYS_keyctl, libc::SYS_mount, libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd, libc::SYS_pivot_root, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_ptrace,
    libc::SYS_reboot, libc::SYS_request_key, libc::SYS_setns, libc::SYS_sethostname, libc::SYS_swapon, libc::SYS_syslog,
    libc::SYS_umount2, libc::SYS_unshare,
];

/// Calls that tell of files which may not be opened; they do not exist where nothing else keeps the host's files out of sight.
const PEEPING: [i64; 5] = [libc::SYS_getxattr, libc::SYS_lgetxattr, libc::SYS_listxattr, libc::SYS_llistxattr, libc::SYS_inotify_add_watch];

/// Changes of a file system's own marks on a file, for which reading it is enough: flags (for 64 and for 32 bits), project, version.
const FILE_MARKS: [u64; 4] = [0x4008_6602, 0x4004_6602, 0x401c_5820, 0x4008_7602];

/// Calls that change what is not opened for writing first, which Landlock alone does not see; refused where nothing else keeps the
/// host's files out of sight.
#[rustfmt::skip]
const BY_PATH: &[i64] = &[
    libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_fchown, libc::SYS_fchownat, libc::SYS_fremovexattr, libc::SYS_fsetxattr, libc::SYS_lremovexattr,
    libc::SYS_lsetxattr, libc::SYS_removexattr, libc::SYS_setxattr,
];
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const BY_PATH_HERE: &[i64] = &[
    libc::SYS_chmod, libc::SYS_chown, libc::SYS_futimesat, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes,
];
#[cfg(not(target_arch = "x86_64"))]
const BY_PATH_HERE: &[i64] = &[];

const NEW_NAMESPACES: [libc::c_int; 8] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
    0x80,
];

/// Typing into a terminal, talking to the console, changing a terminal's line discipline.
const TERMINAL_TRICKS: [u64; 3] = [libc::TIOCSTI, libc::TIOCLINUX, libc::TIOCSETD];

/// Ties this thread and its children to what a command may call, for good.
pub(super) fn restrict(rung: Rung) -> Result<(), seccompiler::Error> {
    let there = |call: &&i64| rung != Rung::LandlockSeccomp || !PEEPING.contains(call);
    let known = KNOWN.iter().chain(KNOWN_HERE).chain(REFUSED).filter(there).map(|call| (*call, Vec::new())).collect();
    let no_such = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let filters = [
        SeccompFilter::new(known, no_such, SeccompAction::Allow, arch)?,
        SeccompFilter::new(conditions(rung)?, SeccompAction::Allow, refused, arch)?,
    ];
    for filter in filters {
        let program: seccompiler::BpfProgram = filter.try_into()?;
        seccompiler::apply_filter(&program)?;
    }
    Ok(())
}

fn conditions(rung: Rung) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let mut when = |call: i64, conditions: Vec<Condition>| {
        rules.entry(call).or_default().push(SeccompRule::new(conditions)?);
        Ok::<_, seccompiler::BackendError>(())
    };
    let is = |argument, value: u64| Condition::new(argument, Length::Dword, Compare::Eq, value);
    let is_not = |argument, value: u64| Condition::new(argument, Length::Dword, Compare::Ne, value);
    let masked = |argument, mask: u64, value: u64| Condition::new(argument, Length::Dword, Compare::MaskedEq(mask), value);

    let (inet, inet6, unix) = (number(libc::AF_INET), number(libc::AF_INET6), number(libc::AF_UNIX));
    match rung {
        // In an empty network only one's own processes answer.
        Rung::Namespaces | Rung::Bubblewrap => when(libc::SYS_socket, vec![is_not(0, inet)?, is_not(0, inet6)?])?,
        Rung::LandlockSeccomp => when(libc::SYS_socket, vec![is_not(0, u64::from(u32::MAX))?])?,
    }
    when(libc::SYS_socket, vec![masked(1, 0xf, number(libc::SOCK_RAW))?])?;
    // A pair is fine, but a datagram socket could be turned to another address.
    when(libc::SYS_socketpair, vec![is_not(0, unix)?])?;
    when(libc::SYS_socketpair, vec![masked(1, 0xf, number(libc::SOCK_DGRAM))?])?;
    for flag in NEW_NAMESPACES.map(number) {
        when(libc::SYS_clone, vec![masked(0, flag, flag)?])?;
    }
    for request in TERMINAL_TRICKS {
        when(libc::SYS_ioctl, vec![is(1, request)?])?;
    }
    // Only to ask which it is, the usual one, and the one without randomised addresses, for debuggers.
    when(libc::SYS_personality, vec![is_not(0, 0)?, is_not(0, u64::from(u32::MAX))?, is_not(0, number(libc::ADDR_NO_RANDOMIZE))?])?;
    for kind in [libc::S_IFCHR, libc::S_IFBLK] {
        when(libc::SYS_mknodat, vec![masked(2, u64::from(libc::S_IFMT), u64::from(kind))?])?;
        #[cfg(target_arch = "x86_64")]
        when(libc::SYS_mknod, vec![masked(1, u64::from(libc::S_IFMT), u64::from(kind))?])?;
    }
    if rung == Rung::LandlockSeccomp {
        // Processes of the same user are in sight: their limits and priorities are not to be touched.
        let others = |argument| Condition::new(argument, Length::Dword, Compare::Ne, 0);
        when(libc::SYS_prlimit64, vec![others(0)?])?;
        for call in [libc::SYS_sched_setaffinity, libc::SYS_sched_setattr, libc::SYS_sched_setparam, libc::SYS_sched_setscheduler] {
            when(call, vec![others(0)?])?;
        }
        for call in [libc::SYS_setpriority, libc::SYS_ioprio_set] {
            when(call, vec![others(1)?])?;
            // By group or by user.
            when(call, vec![is(0, 2)?])?;
            when(call, vec![is(0, 3)?])?;
        }
        when(libc::SYS_setpriority, vec![is(0, 1)?])?;
        when(libc::SYS_utimensat, vec![Condition::new(1, Length::Qword, Compare::Ne, 0)?])?;
        for request in FILE_MARKS {
            when(libc::SYS_ioctl, vec![is(1, request)?])?;
        }
        rules.extend(BY_PATH.iter().chain(BY_PATH_HERE).map(|call| (*call, Vec::new())));
    }
    Ok(rules)
}

fn number(constant: libc::c_int) -> u64 {
    u64::from(constant.unsigned_abs())
}
