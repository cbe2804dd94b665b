//! How long it takes from the word to stop until nothing goes on any more: the program has ended, and everything that it started.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::samples::{Samples, milliseconds};
use crate::server::{ACTING, SLEEP, STALLING, Server};
use crate::table::{Row, Table};

const KRABBA: &str = env!("CARGO_BIN_EXE_krabba");
const RUNS: usize = 15;

/// When a request to the model is surely under way.
const ASKED: Duration = Duration::from_millis(400);
/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures it in both phases that can last.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let server = Server::start()?;
    for (figure, model) in [
        ("from the stop to the end, the model silent in the middle of its answer", STALLING),
        ("from the stop to the end, a command and its children running", ACTING),
    ] {
        let mut samples = Samples::default();
        for _ in 0..RUNS {
            samples.add(stopped(&server, model)?);
        }
        table.add(Row {
            figure: figure.to_owned(),
            krabba: format!("{} (p95 {})", milliseconds(samples.median()), milliseconds(samples.at(95))),
            beside: "–".to_owned(),
            more: "–".to_owned(),
            goal: "≤ 1 s",
        });
    }
    Ok(())
}

fn stopped(server: &Server, model: &str) -> Result<Duration> {
    let home = TempDir::new()?;
    let config = home.path().join("krabba.json5");
    let (url, reference) = (server.url(), format!("lmstudio/{model}"));
    std::fs::write(
        &config,
        format!(
            "{{models: {{mode: 'replace', providers: {{lmstudio: {{baseUrl: '{url}/v1', models: [{{id: '{model}'}}]}}}}}}, \
             agents: {{defaults: {{model: {{primary: '{reference}'}}}}}}}}"
        ),
    )?;
    let mut krabba = Command::new(KRABBA)
        .args(["agent", "--message", "go"])
        .env("HOME", home.path())
        .env("KRABBA_CONFIG", &config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let begun = Instant::now();
    while if model == ACTING { sleepers() < 2 } else { begun.elapsed() < ASKED } {
        ensure!(begun.elapsed() < PATIENCE && krabba.try_wait()?.is_none(), "it never comes to what is to be stopped");
        std::thread::sleep(Duration::from_millis(5));
    }
    let said = Instant::now();
    kill(Pid::from_raw(i32::try_from(krabba.id())?), Signal::SIGINT)?;
    krabba.wait()?;
    while sleepers() > 0 {
        ensure!(said.elapsed() < PATIENCE, "what it started goes on");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(said.elapsed())
}

/// The processes of this machine that the command started.
fn sleepers() -> usize {
    let lines = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = lines.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| line.starts_with(format!("sleep\0{SLEEP}").as_bytes())).count()
}
