//! Every attack on one rung, by one user; or every attack without any sandbox.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use krabba_guard::{Authorized, Monitor, Policy, Principal, Said, Scene, Source, Verdict};
use krabba_sandbox::{Ended, Limits, Piece, Rung, Sandbox};
use krabba_store::Store;
use krabba_types::{Action, AgentId, Exec, ExecChanges, ExecMode, ExecStdio, Label, SessionId, SystemClock, TurnId, WorkspacePath};
use serde::{Deserialize, Serialize};

use crate::attack::{self, Attack, Control, GOT, HELD, LACKS, Setting, TAKEN};
use crate::room::Room;

/// What nothing says.
const NEVER: &str = "\u{0}never\u{0}";

/// First argument of whoever tries all of them.
pub(crate) const MATRIX: &str = "--krabba-matrix";

/// How it went.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Why nothing was tried.
    pub(crate) missed: Option<String>,
    /// What was tried, or shown to be an attack.
    pub(crate) tried: Vec<String>,
    /// What got out, with what it got; or what was no attack, with what it met.
    pub(crate) wrong: Vec<String>,
    /// What this machine lacks something for.
    pub(crate) lacking: Vec<String>,
}

/// Plays the part, and says how it went.
pub(crate) fn play(arguments: &[String]) {
    let [what, base, filter] = arguments else { std::process::exit(2) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let wanted = |attack: &&Attack| attack.name.contains(filter.as_str());
    let attacks: Vec<&Attack> = attack::all().into_iter().filter(wanted).collect();
    let base = Path::new(base);
    let report = match serde_json::from_str::<Rung>(&format!("\"{what}\"")) {
        Ok(rung) => runtime.block_on(from_within(rung, base, &attacks)),
        Err(_) => runtime.block_on(without(base, &attacks)),
    };
    println!("{}", serde_json::to_string(&report).unwrap());
    std::process::exit(0);
}

async fn from_within(rung: Rung, base: &Path, attacks: &[&Attack]) -> Report {
    let mut report = Report::default();
    let mut room = Room::new(base);
    let mut sandbox = Sandbox::new(room.settings(rung)).unwrap();
    let standing = sandbox.standing().await.clone();
    if standing.rung.is_none() {
        report.missed = Some(standing.reasons());
        return report;
    }
    for attack in attacks {
        let _alone = alone(base, attack);
        if matches!(attack.setting, Setting::Apart) && !standing.discardable {
            continue;
        }
        let tight = match attack.setting {
            Setting::Tight(tighten) => Some(limited(&room, rung, tighten)),
            _ => None,
        };
        let done = attempt(tight.as_ref().unwrap_or(&sandbox), &room, attack, NEVER).await;
        report.tried.push(attack.name.to_owned());
        settle(attack);
        let mut harm = room.harm();
        let may_be_ended =
            matches!(attack.setting, Setting::Tight(_) | Setting::Brief) || done.ended.how == krabba_sandbox::How::Signalled(libc::SIGSYS);
        if done.output.contains(GOT) || done.output.contains(&room.secret) {
            harm.push(done.output.chars().take(300).collect());
        }
        if attack.name == "output" && done.output.len() > 64 << 10 {
            harm.push(format!("{} bytes of output", done.output.len()));
        }
        if harm.is_empty() && !may_be_ended && !done.output.contains(HELD) {
            harm.push(format!("it said nothing: {done:?}"));
        }
        if !harm.is_empty() {
            report.wrong.push(format!("{}: {}", attack.name, harm.join("; ")));
            room = fresh(room, base);
            sandbox = Sandbox::new(room.settings(rung)).unwrap();
        }
    }
    report
}

/// Keeps others from doing the same at this time, where that would disturb.
fn alone(base: &Path, attack: &Attack) -> Option<std::fs::File> {
    let place = std::fs::File::open(base.parent().filter(|_| attack::limits::is_shared(attack))?).unwrap();
    rustix::fs::flock(&place, rustix::fs::FlockOperation::LockExclusive).unwrap();
    Some(place)
}

/// A signal takes a moment to be heard.
fn settle(attack: &Attack) {
    if attack.name.starts_with("signal") {
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn limited(room: &Room, rung: Rung, tighten: fn(&mut Limits)) -> Sandbox {
    let mut settings = room.settings(rung);
    tighten(&mut settings.limits);
    Sandbox::new(settings).unwrap()
}

fn fresh(old: Room, base: &Path) -> Room {
    drop(old);
    Room::new(base)
}

/// Shows that attacks are attacks: nothing holds them, and they get somewhere.
async fn without(base: &Path, attacks: &[&Attack]) -> Report {
    let mut report = Report::default();
    let mut room = Room::new(base);
    let root = rustix::process::geteuid().is_root();
    for attack in attacks {
        let _alone = alone(base, attack);
        let output = match attack.control {
            Control::Nothing => continue,
            Control::Root if !root => continue,
            Control::Bare | Control::Root => bare(&room, attack),
            Control::Loose => {
                let sandbox = Sandbox::new(room.settings(Rung::Namespaces)).unwrap();
                attempt(&sandbox, &room, attack, TAKEN).await.output
            }
        };
        settle(attack);
        let harm = room.harm();
        let flood = attack.name == "output" && output.len() > 256 * 4096;
        if output.contains(LACKS) {
            report.lacking.push(format!("{}: {}", attack.name, output.trim()));
        } else if output.contains(GOT) || output.contains(TAKEN) || !harm.is_empty() || flood {
            report.tried.push(attack.name.to_owned());
        } else {
            report.wrong.push(format!("{}: {}", attack.name, output.chars().take(300).collect::<String>().trim()));
        }
        if !harm.is_empty() || attack.name.starts_with("ptrace") {
            room = fresh(room, base);
        }
    }
    report
}

#[allow(clippy::disallowed_methods, reason = "waited for here")]
fn bare(room: &Room, attack: &Attack) -> String {
    let [program, rest @ ..] = room.words(attack.name);
    let output = Command::new(program).args(rest).stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What came of an attempt.
#[derive(Debug)]
struct Done {
    output: String,
    ended: Ended,
}

/// `until` ends it when it is said.
async fn attempt(sandbox: &Sandbox, room: &Room, attack: &Attack, until: &str) -> Done {
    let words = room.words(attack.name).map(|word| format!("'{word}'")).join(" ");
    let exec = Exec {
        command: format!("exec {words}"),
        directory: WorkspacePath::root(),
        environment: BTreeMap::new(),
        mode: ExecMode::Foreground,
        stdio: if matches!(attack.setting, Setting::Terminal) { ExecStdio::Terminal } else { ExecStdio::Pipes },
        timeout_seconds: if matches!(attack.setting, Setting::Brief) { 2 } else { 20 },
        hosts: Vec::new(),
        changes: ExecChanges::Separable,
        label: Label::Minted,
    };
    let label = if matches!(attack.setting, Setting::Apart) { Label::untrusted("evil.example") } else { Label::Owner };
    let crowd = async {
        if matches!(attack.setting, Setting::Crowd) {
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let short = Exec { command: ":".to_owned(), ..exec.clone() };
                let _ = run(sandbox, allowed(short, &Label::Owner), NEVER).await;
            }
        }
    };
    let (done, ()) = tokio::join!(run(sandbox, allowed(exec.clone(), &label), until), crowd);
    done
}

async fn run(sandbox: &Sandbox, exec: Authorized<Exec>, until: &str) -> Done {
    let mut child = sandbox.spawn(exec).await.unwrap();
    let mut output = Vec::new();
    while let Some(piece) = child.output.next().await {
        if let Piece::Bytes(_, bytes) = piece {
            output.extend(bytes);
        }
        if String::from_utf8_lossy(&output).contains(until) {
            let ended = child.process.kill().await;
            return Done { output: String::from_utf8_lossy(&output).into_owned(), ended };
        }
    }
    let ended = child.process.wait().await;
    Done { output: String::from_utf8_lossy(&output).into_owned(), ended }
}

/// The monitor's word on a command in a context of this label.
fn allowed(exec: Exec, label: &Label) -> Authorized<Exec> {
    let monitor = Monitor::new(Arc::new(Store::open_in_memory().unwrap()), Policy::default(), Arc::new(SystemClock));
    let said = vec![Said { source: Source::Typed, label: label.clone(), text: "do it".to_owned() }];
    let scene = Scene {
        agent: AgentId::new("main"),
        session: SessionId::new("s"),
        turn: TurnId::new("t"),
        principal: Principal::Owner,
        label: label.clone(),
        said,
        structured: Vec::new(),
    };
    match monitor.judge(Action::Run(exec), &scene).unwrap() {
        Verdict::Allowed(authorized) => authorized.into_exec().unwrap(),
        other => panic!("{other:?}"),
    }
}
