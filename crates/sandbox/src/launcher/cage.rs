//! What a process gives up for good before it becomes a command: new rights, all capabilities, files, system calls. The order
//! matters; each step is needed by none after it.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::namespaces::named;
use super::{syscalls, tree};
use crate::plan::Plan;
use crate::{Limits, Rung};

/// The newest interface of Landlock that this was written for.
const NEWEST: ABI = ABI::V7;

/// The oldest that keeps signals and abstract sockets in, without which the last rung is none.
const OLDEST_ALONE: ABI = ABI::V6;

/// Devices that may be used.
const DEVICES: [&str; 8] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts"];

/// What may be read of `/proc` where it is the host's.
const PROC: [&str; 6] = ["/proc/cpuinfo", "/proc/meminfo", "/proc/version", "/proc/filesystems", "/proc/loadavg", "/proc/uptime"];

/// Gives up everything. Returns what Landlock adds, in words.
pub(super) fn close(plan: &Plan) -> io::Result<String> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::thread::set_no_new_privs(true)?;
    drop_capabilities()?;
    let landlock = landlock(plan).map_err(|error| named("Landlock", &error))?;
    let words = match (&landlock.ruleset, plan.rung) {
        (RulesetStatus::FullyEnforced, _) => "complete",
        (RulesetStatus::PartiallyEnforced, _) => "partly, the kernel is older",
        (RulesetStatus::NotEnforced, Rung::LandlockSeccomp) => return Err(io::Error::other("Landlock is not there")),
        (RulesetStatus::NotEnforced, _) => "not there",
    };
    syscalls::restrict(plan.rung).map_err(|error| named("seccomp", &error))?;
    Ok(words.to_owned())
}

fn drop_capabilities() -> io::Result<()> {
    for bit in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        // Past the last one the kernel says so; without the right to drop, there is nothing to drop that could come back.
        if rustix::thread::remove_capability_from_bounding_set(capability).is_err() {
            break;
        }
    }
    let _ = rustix::thread::clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    Ok(rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}

fn landlock(plan: &Plan) -> Result<RestrictionStatus, RulesetError> {
    let alone = plan.rung == Rung::LandlockSeccomp;
    let mut ruleset = Ruleset::default();
    if alone {
        ruleset = ruleset.set_compatibility(CompatLevel::HardRequirement);
        ruleset = ruleset.handle_access(AccessFs::from_all(OLDEST_ALONE))?.scope(Scope::from_all(OLDEST_ALONE))?;
    }
    let ruleset = ruleset.set_compatibility(CompatLevel::BestEffort);
    let mut ruleset = ruleset.handle_access(AccessFs::from_all(NEWEST))?.scope(Scope::from_all(NEWEST))?.create()?;
    let all = AccessFs::from_all(NEWEST);
    let read = AccessFs::from_read(NEWEST);
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::ReadDir;
    if alone {
        for step in tree::system() {
            ruleset = allow(ruleset, &step.at, read)?;
        }
        for place in PROC.map(Path::new) {
            ruleset = allow(ruleset, place, read)?;
        }
        // Not the host's terminals: one's own is behind /dev/tty.
        for place in DEVICES.iter().filter(|place| !["/dev/ptmx", "/dev/pts"].contains(place)) {
            ruleset = allow(ruleset, Path::new(place), device)?;
        }
        ruleset = allow(ruleset, &plan.private.join("tmp"), all)?;
        for (place, access) in around_protected(plan, read, all) {
            ruleset = allow(ruleset, &place, access)?;
        }
    } else {
        ruleset = allow(ruleset, Path::new("/"), read)?;
        for place in DEVICES {
            ruleset = allow(ruleset, Path::new(place), device)?;
        }
        for place in tree::writable(&plan.tree).iter().map(PathBuf::as_path).chain([Path::new("/tmp"), Path::new("/dev/shm")]) {
            ruleset = allow(ruleset, place, all)?;
        }
    }
    ruleset.restrict_self()
}

/// A rule for a place, if it is there.
fn allow(ruleset: RulesetCreated, place: &Path, access: BitFlags<AccessFs>) -> Result<RulesetCreated, RulesetError> {
    let Ok(handle) = PathFd::new(place) else { return Ok(ruleset) };
    // For a file, what concerns directories is left out.
    let access = if place.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
    ruleset.add_rule(PathBeneath::new(handle, access))
}

/// Landlock takes nothing back of what it allowed for a directory. So a directory with something protected in it may be looked
/// at, and each of its entries is allowed by itself; nothing new can be made in it. The same goes for what is hidden.
fn around_protected(plan: &Plan, read: BitFlags<AccessFs>, all: BitFlags<AccessFs>) -> Vec<(PathBuf, BitFlags<AccessFs>)> {
    let tree = &plan.tree;
    let mut closed = tree.hidden.clone();
    closed.extend(tree.workspace.iter().flat_map(|workspace| workspace.protected.iter().map(|path| workspace.path.join(path))));
    closed.extend(tree.readable.iter().filter(|path| tree.writable.iter().any(|writable| path.starts_with(writable))).cloned());
    let mut rules = Vec::new();
    let mut open: Vec<_> = tree.readable.iter().map(|place| (place.clone(), read)).collect();
    open.extend(tree::writable(tree).into_iter().map(|place| (place, all)));
    while let Some((place, access)) = open.pop() {
        if plan.tree.hidden.contains(&place) {
            continue;
        }
        if closed.contains(&place) {
            rules.push((place, read));
        } else if closed.iter().any(|closed| closed.starts_with(&place)) {
            let sees_all = !plan.tree.hidden.iter().any(|hidden| hidden.starts_with(&place));
            rules.push((place.clone(), if sees_all { read } else { AccessFs::ReadDir.into() }));
            let entries = std::fs::read_dir(&place).into_iter().flatten().flatten();
            // A link is judged by what it leads to.
            let entries = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
            open.extend(entries.map(|entry| (entry.path(), access)));
        } else {
            rules.push((place, access));
        }
    }
    rules
}

/// Limits of each process by itself, for the command alone.
pub(super) fn limit(plan: &Plan) -> io::Result<()> {
    let Limits { memory_bytes, processes, cpu_seconds, file_bytes, open_files, .. } = plan.limits;
    // Not the address space: programs reserve much of it that they never use. This counts what they could write to.
    set(Resource::Data, memory_bytes)?;
    set(Resource::Core, 0)?;
    set(Resource::Cpu, cpu_seconds)?;
    set(Resource::Fsize, file_bytes)?;
    set(Resource::Nofile, open_files)?;
    set(Resource::Memlock, 64 << 20)?;
    set(Resource::Msgqueue, 1 << 20)?;
    // Without a user namespace of its own everything that the user runs counts, which nobody could foresee; `watch` counts then.
    if plan.rung == Rung::LandlockSeccomp { Ok(()) } else { set(Resource::Nproc, processes) }
}

/// Lowers a limit, and never raises it.
fn set(resource: Resource, value: u64) -> io::Result<()> {
    let now = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let value = Some(value.min(now));
    Ok(rustix::process::setrlimit(resource, Rlimit { current: value, maximum: value })?)
}
