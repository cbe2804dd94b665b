//! Escape attempts: every mechanism that we know, on every rung that works on this machine, as root and as an ordinary user where the
//! tests run as root. None may get anywhere, by its own word or in the eyes of the world outside. That each of them is an attack is
//! shown by letting it loose where nothing holds it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test ends where its set-up fails, and says what was tried")]
#![cfg(target_os = "linux")]

mod attack;
mod matrix;
mod room;
mod victim;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use krabba_guard::ControlFiles;
use krabba_sandbox::Protected;
use matrix::Report;

/// Somebody without rights.
const ORDINARY: u32 = 65_534;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Whoever runs the tests.
    Self_,
    /// Somebody without rights, where that is root.
    Ordinary,
}

impl Who {
    fn name(self) -> &'static str {
        if self == Self::Self_ && rustix::process::geteuid().is_root() { "root" } else { "an ordinary user" }
    }
}

/// Whoever is started while a program is being written holds it open, and it cannot be started then.
static STARTING: Mutex<()> = Mutex::new(());

/// Everything at once, by one user, in a process of its own.
#[allow(clippy::disallowed_methods, reason = "waited for here")]
fn play(what: &str, who: Who) -> Report {
    let starting = STARTING.lock().unwrap();
    let base = base();
    let rooms = base.path().join("rooms");
    fs::create_dir(&rooms).unwrap();
    let attacker = base.path().join("attacker");
    fs::copy(std::env::current_exe().unwrap(), &attacker).unwrap();
    fs::set_permissions(&attacker, fs::Permissions::from_mode(0o755)).unwrap();
    let setuid = base.path().join("setuid");
    fs::copy("/usr/bin/id", &setuid).unwrap();
    let root = rustix::process::geteuid().is_root();
    fs::set_permissions(&setuid, fs::Permissions::from_mode(if root { 0o4755 } else { 0o755 })).unwrap();
    let filter = std::env::var("ESCAPE").unwrap_or_default();
    let mut command = Command::new(&attacker);
    command.args([matrix::MATRIX, what]).arg(base.path()).arg(filter).env(room::OURS, "ours").current_dir("/");
    if root && who == Who::Ordinary {
        std::os::unix::fs::chown(&rooms, Some(ORDINARY), Some(ORDINARY)).unwrap();
        command.uid(ORDINARY).gid(ORDINARY);
    }
    let attacker = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(starting);
    let output = attacker.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let report = said.lines().last().and_then(|line| serde_json::from_str(line).ok());
    report.unwrap_or_else(|| panic!("{said}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// A directory that everybody can get to.
fn base() -> tempfile::TempDir {
    let open = |path: &Path| path.ancestors().all(|part| fs::metadata(part).is_ok_and(|metadata| metadata.permissions().mode() & 1 == 1));
    let places = [PathBuf::from(env!("CARGO_TARGET_TMPDIR")), std::env::temp_dir()];
    let place = places.iter().find(|place| open(place)).unwrap();
    let base = tempfile::Builder::new().prefix("krabba-escapes").tempdir_in(place).unwrap();
    fs::set_permissions(base.path(), fs::Permissions::from_mode(0o755)).unwrap();
    base
}

/// The same by every user that there is to be, all at once.
fn by_everybody(what: &str) -> Vec<(&'static str, Report)> {
    let users: &[Who] = if rustix::process::geteuid().is_root() { &[Who::Self_, Who::Ordinary] } else { &[Who::Self_] };
    std::thread::scope(|scope| {
        let plays: Vec<_> = users.iter().map(|who| (who.name(), scope.spawn(|| play(what, *who)))).collect();
        plays.into_iter().map(|(name, play)| (name, play.join().unwrap())).collect()
    })
}

fn none_wrong(reports: &[(&str, Report)]) {
    let wrong: Vec<String> =
        reports.iter().flat_map(|(who, report)| report.wrong.iter().map(move |wrong| format!("as {who}: {wrong}"))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Tries everything, and prints what was tried.
fn nothing_escapes(rung: &str) {
    let reports = by_everybody(rung);
    let mechanisms: BTreeSet<&String> = reports.iter().flat_map(|(_, report)| &report.tried).collect();
    let out: usize = reports.iter().map(|(_, report)| report.wrong.len()).sum();
    println!("escape attempts on the rung \"{rung}\": {} distinct mechanisms, {out} got out", mechanisms.len());
    for (who, report) in &reports {
        match &report.missed {
            Some(why) => println!("  as {who}: not tried, {why}"),
            None => println!("  as {who}: {} attempts", report.tried.len()),
        }
    }
    none_wrong(&reports);
}

#[test]
fn nothing_escapes_from_namespaces() {
    nothing_escapes("namespaces");
}

#[test]
fn nothing_escapes_from_bubblewrap() {
    nothing_escapes("bubblewrap");
}

#[test]
fn nothing_escapes_from_landlock_and_seccomp() {
    nothing_escapes("landlock-seccomp");
}

#[test]
fn every_attack_gets_somewhere_where_nothing_holds_it() {
    let reports = by_everybody("without");
    for (who, report) in &reports {
        println!("without a sandbox, {} of these attacks get somewhere as {who}", report.tried.len());
        report.lacking.iter().for_each(|lacking| println!("  {lacking}"));
    }
    none_wrong(&reports);
}

#[test]
fn whatever_steers_the_agent_is_protected() {
    let protected: Vec<String> = Protected::usual().into_iter().map(|protected| protected.path.as_str().to_lowercase()).collect();
    for name in ControlFiles::names().iter().chain(ControlFiles::directories()) {
        assert!(protected.iter().any(|path| path == name || path.starts_with(&format!("{name}/"))), "{name}");
    }
}
