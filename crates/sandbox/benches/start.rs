//! `cargo bench -p krabba-sandbox`: how long it takes to start a command that does nothing, in the sandbox and without one.
//!
//! In turns, so that a busy machine slows both alike; a figure is the median of all rounds, with the ninetieth of a hundred behind
//! it. The launcher is this program, and once more krabba's own where a release build of it lies beside this one. Nothing is
//! asserted.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its figures, and ends where its set-up fails")]
#![allow(clippy::disallowed_methods, reason = "a bench waits for what it starts")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use krabba_guard::{Authorized, Monitor, Policy, Principal, Scene, Verdict};
use krabba_sandbox::{Rung, Sandbox, Settings};
use krabba_store::Store;
use krabba_types::{Action, AgentId, Exec, ExecChanges, ExecMode, ExecStdio, Label, SessionId, SystemClock, TurnId, WorkspacePath};

const ROUNDS: usize = 200;

const GOAL: Duration = Duration::from_millis(15);

#[tokio::main]
async fn main() {
    let place = tempfile::Builder::new().prefix("krabba-bench").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = std::fs::canonicalize(place.path()).unwrap();
    std::fs::create_dir(root.join("workspace")).unwrap();
    let monitor = Monitor::new(Arc::new(Store::open_in_memory().unwrap()), Policy::default(), Arc::new(SystemClock));
    let mut launchers = vec![("this program as launcher", PathBuf::from("/proc/self/exe"))];
    let built = std::env::current_exe().unwrap().parent().and_then(|deps| deps.parent()).map(|release| release.join("krabba"));
    launchers.extend(built.filter(|path| path.exists()).map(|path| ("krabba as launcher", path)));
    println!("start to end of `true`, medians of {ROUNDS} rounds in turns (ninetieth of a hundred); the goal is {GOAL:?}");
    for (name, launcher) in launchers {
        for rung in Rung::ALL {
            for (view, label) in [("", Label::Owner), (", changes kept apart", Label::untrusted("a page"))] {
                let mut settings = Settings::new(root.join("workspace"), root.join("scratch"));
                settings.launcher = launcher.clone();
                settings.rungs = vec![rung];
                let sandbox = Sandbox::new(settings).unwrap();
                let standing = sandbox.standing().await;
                if standing.rung.is_none() {
                    println!("  {rung}, {name}: not measured, {}", standing.reasons());
                    break;
                }
                if standing.discardable || label == Label::Owner {
                    measure(&format!("{rung}, {name}{view}"), &sandbox, &monitor, &label).await;
                }
            }
        }
    }
}

async fn measure(name: &str, sandbox: &Sandbox, monitor: &Monitor, label: &Label) {
    let (mut bare, mut held) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let mut command = tokio::process::Command::new("/bin/bash");
        command.args(["-c", "true"]).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        assert!(command.output().await.unwrap().status.success());
        bare.push(begun.elapsed());

        let allowed = allowed(monitor, label);
        let begun = Instant::now();
        let mut child = sandbox.spawn(allowed).await.unwrap();
        while child.output.next().await.is_some() {}
        assert_eq!(child.process.wait().await.how, krabba_sandbox::How::Exited(0));
        held.push(begun.elapsed());
    }
    println!("  {name}: {}; bare {}", words(&mut held), words(&mut bare));
}

fn words(times: &mut [Duration]) -> String {
    times.sort();
    let milliseconds = |at: usize| times[at].as_secs_f64() * 1000.0;
    format!("{:.1} ms ({:.1})", milliseconds(times.len() / 2), milliseconds(times.len() * 9 / 10))
}

fn allowed(monitor: &Monitor, label: &Label) -> Authorized<Exec> {
    let exec = Exec {
        command: "true".to_owned(),
        directory: WorkspacePath::root(),
        environment: BTreeMap::new(),
        mode: ExecMode::Foreground,
        stdio: ExecStdio::Pipes,
        timeout_seconds: 30,
        hosts: Vec::new(),
        changes: ExecChanges::Separable,
        label: Label::Minted,
    };
    let scene = Scene {
        agent: AgentId::new("main"),
        session: SessionId::new("s"),
        turn: TurnId::new("t"),
        principal: Principal::Owner,
        label: label.clone(),
        said: Vec::new(),
        structured: Vec::new(),
    };
    match monitor.judge(Action::Run(exec), &scene).unwrap() {
        Verdict::Allowed(authorized) => authorized.into_exec().unwrap(),
        other => panic!("{other:?}"),
    }
}
