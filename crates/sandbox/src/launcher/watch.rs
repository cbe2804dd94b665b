//! Limits that no process has by itself: what all of them use together.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::process::Pid;

use crate::plan::{Limit, Plan};

/// Looks after the descendants of this process, and after the disk that they write to.
pub(super) struct Watch {
    memory_bytes: u64,
    processes: u64,
    disks: Vec<Disk>,
}

struct Disk {
    place: OwnedFd,
    /// Free space and free names, below which it is too much.
    least: Free,
}

/// What is free on a disk: bytes, and names for files.
struct Free {
    bytes: u64,
    names: u64,
}

/// How much of a disk a file takes at least, as far as its names go.
const SMALLEST: u64 = 16 << 10;

impl Watch {
    pub(super) fn new(plan: &Plan) -> Self {
        let limits = &plan.limits;
        let place = plan.tree.workspace.as_ref().map(|workspace| &workspace.path).or(plan.tree.writable.first());
        let disk = |place: &Path| {
            let place = open(place, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
            let free = free(&place)?;
            // Never the last quarter, however much is allowed.
            let least = |free: u64, allowed: u64| free.saturating_sub(allowed).max(free / 4);
            let least = Free { bytes: least(free.bytes, limits.disk_bytes), names: least(free.names, limits.disk_bytes / SMALLEST) };
            Some(Disk { place, least })
        };
        // What is kept apart, and what the command has for itself, may lie on another disk than the workspace.
        let disks = [place.map(PathBuf::as_path), Some(&plan.private)].into_iter().flatten().filter_map(disk).collect();
        Self { memory_bytes: limits.memory_bytes, processes: limits.processes, disks }
    }

    /// The limit that is passed now.
    pub(super) fn look(&mut self) -> Option<Limit> {
        let (mut memory, mut threads) = (0, 0);
        for pid in descendants() {
            let Ok(status) = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())) else { continue };
            memory += 1024 * (number(&status, "RssAnon:") + number(&status, "RssShmem:"));
            threads += number(&status, "Threads:");
        }
        if memory > self.memory_bytes {
            return Some(Limit::Memory);
        }
        // A few of them are our own.
        if threads > self.processes + 4 {
            return Some(Limit::Processes);
        }
        let full = |disk: &Disk| free(&disk.place).is_some_and(|free| free.bytes < disk.least.bytes || free.names < disk.least.names);
        self.disks.iter().any(full).then_some(Limit::Disk)
    }
}

fn free(place: &OwnedFd) -> Option<Free> {
    let status = rustix::fs::fstatvfs(place).ok()?;
    // Some file systems do not count names, and have none to give away.
    Some(Free { bytes: status.f_bavail.saturating_mul(status.f_frsize), names: status.f_favail })
}

fn number(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Everything that this process started, and what that started in turn.
pub(super) fn descendants() -> Vec<Pid> {
    let mut found: Vec<Pid> = Vec::new();
    let mut new = children("/proc/self");
    while let Some(pid) = new.pop() {
        if !found.contains(&pid) {
            found.push(pid);
            new.extend(children(format!("/proc/{}", pid.as_raw_nonzero())));
        }
    }
    found
}

fn children(process: impl AsRef<Path>) -> Vec<Pid> {
    let Ok(threads) = fs::read_dir(process.as_ref().join("task")) else { return Vec::new() };
    let lists = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect::<Vec<_>>()).collect()
}
