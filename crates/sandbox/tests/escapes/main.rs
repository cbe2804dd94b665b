//! Escape attempts: every mechanism that we know, on every rung that works on this machine, as root and as an ordinary user where the
//! tests run as root. None may get anywhere, by its own word or in the eyes of the world outside. That each of them is an attack is
//! shown by letting it loose where nothing holds it.
//!
//! A rung that does not start is tried by nobody, and a run in which nothing was tried proves nothing. So the rungs of our own
//! (`namespaces`, `landlock-seccomp`) have to start, for each user, and `bubblewrap` where neither of them does. On a machine that
//! cannot have one, `KRABBA_RUNGS_MISSING` names it, with commas between several:
//!
//! ```text
//! KRABBA_RUNGS_MISSING=namespaces,bubblewrap cargo nextest run -p krabba-sandbox
//! ```

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
    let missing = std::env::var(MISSING).unwrap_or_default();
    let untried = untried(rung, &reports, &excused(&missing));
    assert!(untried.is_empty(), "{}", untried.join("\n"));
}

/// Names the rungs that this machine cannot have.
const MISSING: &str = "KRABBA_RUNGS_MISSING";

const NAMESPACES: &str = "namespaces";
const BUBBLEWRAP: &str = "bubblewrap";
const LANDLOCK: &str = "landlock-seccomp";

/// The rungs that are named as missing. A name that is none is a slip that would excuse nothing.
fn excused(text: &str) -> BTreeSet<&str> {
    let names: BTreeSet<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    for name in &names {
        assert!([NAMESPACES, BUBBLEWRAP, LANDLOCK].contains(name), "{MISSING}: there is no rung \"{name}\"");
    }
    names
}

/// Who could not try this rung though nobody said that it is missing.
fn untried(rung: &str, reports: &[(&str, Report)], excused: &BTreeSet<&str>) -> Vec<String> {
    let needed = rung != BUBBLEWRAP || (excused.contains(NAMESPACES) && excused.contains(LANDLOCK));
    if !needed || excused.contains(rung) {
        return Vec::new();
    }
    let missed = reports.iter().filter_map(|(who, report)| Some((who, report.missed.as_ref()?)));
    missed
        .map(|(who, why)| {
            format!("as {who} nothing was tried on the rung \"{rung}\": {why} ({MISSING}={rung} says that it cannot be here)")
        })
        .collect()
}

#[test]
fn nothing_escapes_from_namespaces() {
    nothing_escapes(NAMESPACES);
}

#[test]
fn nothing_escapes_from_bubblewrap() {
    nothing_escapes(BUBBLEWRAP);
}

#[test]
fn nothing_escapes_from_landlock_and_seccomp() {
    nothing_escapes(LANDLOCK);
}

#[test]
fn rung_that_nobody_tried_is_no_success() {
    let missed = || vec![("root", Report::default()), ("an ordinary user", Report { missed: Some("no".to_owned()), ..Report::default() })];
    let untried = |rung, missing| untried(rung, &missed(), &excused(missing)).len();
    for (rung, missing, wrong) in [
        (NAMESPACES, "", 1),
        (LANDLOCK, "", 1),
        (BUBBLEWRAP, "", 0),
        (NAMESPACES, "namespaces", 0),
        (LANDLOCK, "namespaces", 1),
        (BUBBLEWRAP, "namespaces, landlock-seccomp", 1),
        (BUBBLEWRAP, "namespaces, landlock-seccomp, bubblewrap", 0),
    ] {
        assert_eq!(untried(rung, missing), wrong, "{rung} with {MISSING}={missing}");
    }
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
