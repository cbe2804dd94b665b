//! What the system says about processes: whether one lives, since when, and where its id means something.

use std::fs;

/// Whether a process exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// There is a process of this id.
    Here,
    /// There is none.
    Gone,
    /// The system does not say.
    #[cfg_attr(unix, expect(dead_code, reason = "for systems without signals"))]
    Unknown,
}

/// Whether a process of this id exists. A signal 0 is delivered to nobody and tells. A process that ended and whose parent
/// has not asked for it yet (a zombie) takes signals too, and is gone all the same: scripts and small container inits leave
/// such behind.
#[cfg(unix)]
pub(crate) fn life(pid: u32) -> Life {
    use nix::errno::Errno;
    use nix::sys::signal::kill;
    use nix::unistd::Pid;

    let Ok(pid) = i32::try_from(pid) else { return Life::Gone };
    match kill(Pid::from_raw(pid), None) {
        Err(Errno::ESRCH) => Life::Gone,
        Ok(()) | Err(_) if has_ended(pid.unsigned_abs()) => Life::Gone,
        // Not ours to signal (EPERM), but there.
        Ok(()) | Err(_) => Life::Here,
    }
}

/// Whether a process of this id exists.
#[cfg(not(unix))]
pub(crate) fn life(_pid: u32) -> Life {
    Life::Unknown
}

/// Whether only the exit code of the process is left (Linux: field 3 of `/proc/<pid>/stat` is `Z` or `X`, see proc(5)).
/// Systems without that file do not tell; a lease ends by its time there.
#[cfg(unix)]
fn has_ended(pid: u32) -> bool {
    status_fields(pid).is_some_and(|fields| matches!(fields.split_whitespace().next(), Some("Z" | "X")))
}

/// When the process started, in clock ticks since boot (Linux: field 22 of `/proc/<pid>/stat`, see proc(5)).
pub(crate) fn started(pid: u32) -> Option<u64> {
    status_fields(pid)?.split_whitespace().nth(19)?.parse().ok()
}

/// What the system says about a process, from its third field on.
fn status_fields(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
    let (_, after_name) = stat.rsplit_once(')')?;
    Some(after_name.to_owned())
}

/// Where our process ids mean something: the boot and the process namespace.
#[cfg(target_os = "linux")]
pub(crate) fn realm() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// Systems without process namespaces: wherever we run. An id from before a restart of the machine may seem alive
/// then, and its lease ends by its time.
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn realm() -> Option<String> {
    Some(std::env::consts::OS.to_owned())
}

/// Systems that do not tell us whether a process lives.
#[cfg(not(unix))]
pub(crate) fn realm() -> Option<String> {
    None
}
