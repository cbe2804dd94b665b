//! The whole program, as a script or a person in a hurry starts it: `krabba agent --local --message hi`.
//!
//! The configuration has ten providers: the server that answers, four more addresses on this machine where nobody listens
//! (which is how they usually are), and five hosted ones with keys, which are never asked. The state directory is used again
//! from run to run, on the disk of the temporary directory.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use tempfile::TempDir;

use crate::bare::{self, Bare};
use crate::samples::{Samples, milliseconds, more_milliseconds};
use crate::server::{ONE_WORD, Server};
use crate::table::{Row, Table};

/// The first argument of the process that stands between, because memory is counted per parent: [`parent`].
pub(crate) const PARENT_ROLE: &str = "parent";

/// The program, as this bench was built with it.
const KRABBA: &str = env!("CARGO_BIN_EXE_krabba");
/// What it is asked.
const ASK: [&str; 4] = ["agent", "--local", "--message", "hi"];
/// Ports of this machine where nobody listens.
const SILENT_PORTS: [u16; 4] = [2, 3, 4, 5];
/// Hosted providers.
const HOSTED: [(&str, &str); 5] = [
    ("openai", "https://api.openai.com/v1"),
    ("openrouter", "https://openrouter.ai/api/v1"),
    ("moonshot", "https://api.moonshot.ai/v1"),
    ("zai", "https://api.z.ai/api/paas/v4"),
    ("example", "https://models.example.com/v1"),
];

/// Runs, after [`WARM_UP`] that do not count.
const RUNS: usize = 60;
const WARM_UP: usize = 3;
const MEMORY_RUNS: usize = 7;

/// Measures time and memory of the program.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let server = Server::start()?;
    let home = Home::new(&server)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut krabba, mut bare, mut answer) = (Samples::default(), Samples::default(), Samples::default());
    for run in 0..WARM_UP + RUNS {
        let ours = time(home.start(Path::new(KRABBA)).args(ASK), "hello")?;
        let address = server.address()?;
        let plain = time(Command::new(std::env::current_exe()?).arg(bare::ROLE).arg(address.to_string()), "1")?;
        let started = Instant::now();
        runtime.block_on(async { Bare::connect(address).await?.ask(ONE_WORD).await })?;
        let alone = started.elapsed();
        if run >= WARM_UP {
            krabba.add(ours);
            bare.add(plain);
            answer.add(alone);
        }
    }
    table.add(Row {
        figure: "`krabba agent --local --message hi`, the whole process".to_owned(),
        krabba: format!("{} (p95 {})", milliseconds(krabba.median()), milliseconds(krabba.at(95))),
        beside: format!(
            "the server's own time {}; a bare client as a process {}",
            milliseconds(answer.median()),
            milliseconds(bare.median())
        ),
        more: more_milliseconds(krabba.median() - answer.median()),
        goal: "≤ 20 ms over the server's own time",
    });

    let mut peaks = (0..MEMORY_RUNS).map(|_| home.peak_kilobytes()).collect::<Result<Vec<_>>>()?;
    peaks.sort_unstable();
    let peak = peaks.get(MEMORY_RUNS / 2).copied().unwrap_or_default();
    table.add(Row {
        figure: "its peak memory with ten providers".to_owned(),
        krabba: format!("{:.1} MB", peak as f64 * 1024.0 / 1e6),
        beside: "–".to_owned(),
        more: "–".to_owned(),
        goal: "≤ 20 MB",
    });
    Ok(())
}

/// The role: runs a program and prints its peak memory in kilobytes as the last line.
///
/// This process is small on purpose: what a child inherits for a moment before it becomes another program counts as its own.
pub(crate) fn parent(program: &[&str]) -> Result<()> {
    let (name, arguments) = program.split_first().context("no program to run")?;
    let status = Command::new(name).args(arguments).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "{name} ended with {status}");
    println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss());
    Ok(())
}

/// A home directory for the program, gone afterwards.
struct Home {
    directory: TempDir,
    config: PathBuf,
}

impl Home {
    fn new(server: &Server) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let config = directory.path().join("krabba.json5");
        std::fs::write(&config, configuration(server.url()))?;
        Ok(Self { directory, config })
    }

    /// `program` with nothing of this machine's environment.
    fn start(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.directory.path()).env("KRABBA_CONFIG", &self.config);
        command
    }

    fn peak_kilobytes(&self) -> Result<i64> {
        let mut between = self.start(&std::env::current_exe()?);
        let output = between.arg(PARENT_ROLE).arg(KRABBA).args(ASK).stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "no memory was measured");
        Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
    }
}

/// The time from before the program is started until it is gone.
fn time(command: &mut Command, expected: &str) -> Result<Duration> {
    let started = Instant::now();
    let output = command.stderr(Stdio::inherit()).output()?;
    let took = started.elapsed();
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && said.trim() == expected, "{command:?} said \"{}\" and ended with {}", said.trim(), output.status);
    Ok(took)
}

fn configuration(url: &str) -> String {
    let mut text =
        format!("{{\n  models: {{\n    providers: {{\n      lmstudio: {{ baseUrl: \"{url}/v1\", models: [{{ id: \"{ONE_WORD}\" }}] }},\n");
    for port in SILENT_PORTS {
        let _ = writeln!(text, "      box{port}: {{ baseUrl: \"http://127.0.0.1:{port}/v1\", models: [{{ id: \"model-{port}\" }}] }},");
    }
    for (name, host) in HOSTED {
        let _ = writeln!(
            text,
            "      {name}: {{ baseUrl: \"{host}\", apiKey: \"sk-bench-{name}\", models: [{{ id: \"model-of-{name}\" }}] }},"
        );
    }
    let _ = write!(text, "    }},\n  }},\n  agents: {{ defaults: {{ model: {{ primary: \"lmstudio/{ONE_WORD}\" }} }} }},\n}}\n");
    text
}
