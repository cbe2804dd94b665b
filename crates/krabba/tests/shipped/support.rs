//! A home for the program, its runs, and what can be asked of a server beside it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How long anything is waited for that must come at all. Far above what it takes: it ends a hung test, and judges nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// A person's home directory, empty at first, and their environment: `PATH`, `HOME`, and what a test adds.
///
/// Whatever is run here is searched for the secrets that the test has told of: none may ever be printed.
pub(crate) struct Home {
    directory: TempDir,
    variables: BTreeMap<String, String>,
    secrets: Vec<String>,
}

impl Home {
    /// Without a configuration.
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), variables: BTreeMap::new(), secrets: Vec::new() }
    }

    /// With this text as `~/.krabba/krabba.json5`.
    pub(crate) fn with_config(text: &str) -> Self {
        let home = Self::new();
        home.write(".krabba/krabba.json5", text);
        home
    }

    /// Sets a variable of the environment.
    pub(crate) fn variable(mut self, name: &str, text: &str) -> Self {
        self.variables.insert(name.to_owned(), text.to_owned());
        self
    }

    /// This text must never be printed by anything that is run here.
    pub(crate) fn secret(mut self, text: &str) -> Self {
        self.secrets.push(text.to_owned());
        self
    }

    /// A path below the home directory.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file below the home directory.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    #[allow(clippy::disallowed_methods, reason = "the program under test is a process; it is killed with the test")]
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_krabba"));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .envs(&self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the program to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end().await
    }

    /// Runs the program with these lines on its standard input.
    pub(crate) async fn type_into(&self, arguments: &[&str], lines: &[&str]) -> Ended {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(format!("{}\n", lines.join("\n")).as_bytes()).await.unwrap();
        drop(input);
        self.running(child, arguments).end().await
    }

    /// Starts the program.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let child = self.command(arguments).spawn().unwrap();
        self.running(child, arguments)
    }

    fn running(&self, child: Child, arguments: &[&str]) -> Running {
        Running { child, command: arguments.join(" "), secrets: self.secrets.clone() }
    }
}

/// The program at work.
pub(crate) struct Running {
    child: Child,
    command: String,
    secrets: Vec<String>,
}

impl Running {
    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill(Pid::from_raw(id), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn end(self) -> Ended {
        let waiting = tokio::time::timeout(PATIENCE, self.child.wait_with_output());
        let output: Output = waiting.await.unwrap_or_else(|_| panic!("krabba {} does not end", self.command)).unwrap();
        let ended = Ended {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            command: self.command,
        };
        for secret in &self.secrets {
            assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "a secret was printed: {ended}");
        }
        ended
    }
}

/// A run that is over.
pub(crate) struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
    command: String,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "krabba {} ended with {:?}\n--- out\n{}\n--- err\n{}", self.command, self.code, self.out, self.err)
    }
}

impl Ended {
    /// It ended with this exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {self}"))
    }

    /// Standard output holds all of these.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.out.contains(text), "\"{text}\" is not said: {self}");
        }
        self
    }

    /// Standard error holds all of these.
    #[track_caller]
    pub(crate) fn warns(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.err.contains(text), "\"{text}\" is not told: {self}");
        }
        self
    }
}

/// The answer's text in the output of `krabba agent --json`.
pub(crate) fn text(turn: &Value) -> &str {
    turn["result"]["payloads"][0]["text"].as_str().unwrap_or_default()
}

/// `ref outcome` or `ref outcome fault` of each attempt in the output of `krabba agent --json`.
pub(crate) fn attempts(turn: &Value) -> Vec<String> {
    let attempts = turn["attempts"].as_array().cloned().unwrap_or_default();
    let words = |attempt: &Value| {
        ["ref", "outcome", "fault"].into_iter().filter_map(|field| attempt[field].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    attempts.iter().map(|attempt| words(attempt).join(" ")).collect()
}

/// Asks until `condition` holds of `GET path` at a server of this machine.
pub(crate) async fn until(port: u16, path: &str, condition: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            if let Some(answer) = get(port, path).await
                && condition(&answer)
            {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{path} at port {port} never says what is waited for"))
}

/// The JSON of `GET path`; `None` where there is none.
async fn get(port: u16, path: &str) -> Option<Value> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

/// A port of loopback where nobody listens.
pub(crate) fn closed_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
