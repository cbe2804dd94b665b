//! The scripted server, in a process of its own, so that its work is not counted as the client's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use krabba_testkit::{Script, ScriptedServer, Step};
use serde_json::json;
use tempfile::NamedTempFile;

/// The first argument of the process.
pub(crate) const ROLE: &str = "serve";

/// The model that says one word.
pub(crate) const ONE_WORD: &str = "one-word";
/// The model that says [`DELTAS`] words, one every 20 ms.
pub(crate) const PACED: &str = "paced";
/// The model that says [`DELTAS`] words as fast as it can.
pub(crate) const UNPACED: &str = "unpaced";
/// The model that says a word and no more, and does not end.
pub(crate) const STALLING: &str = "stalling";
/// The model that runs a command which sleeps twice.
pub(crate) const ACTING: &str = "acting";
/// How long, in seconds, as nobody else does.
pub(crate) const SLEEP: &str = "86400.4711";
/// Words of an answer.
pub(crate) const DELTAS: usize = 64;

/// Between two words of [`PACED`].
const PACE_MS: u64 = 20;

/// A running server; dropping it ends it.
pub(crate) struct Server {
    process: Child,
    url: String,
}

impl Server {
    /// Starts one that plays LM Studio with the models above.
    pub(crate) fn start() -> Result<Self> {
        let mut file = NamedTempFile::new()?;
        file.write_all(serde_json::to_string(&script())?.as_bytes())?;
        let mut process = Command::new(std::env::current_exe()?)
            .arg(ROLE)
            .arg(file.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the server could not be started")?;
        let mut url = String::new();
        let stdout = process.stdout.take().context("the server has no output")?;
        BufReader::new(stdout).read_line(&mut url)?;
        Ok(Self { process, url: url.trim().to_owned() })
    }

    /// The origin: `http://127.0.0.1:4711`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        let address = self.url.strip_prefix("http://").with_context(|| format!("the server said \"{}\"", self.url))?;
        Ok(address.parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends by itself when its input does; this waits for it.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The role: serves the script in the file until standard input ends.
pub(crate) fn serve(script: &str) -> Result<()> {
    let script = Script::from_file(script)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let server = runtime.block_on(ScriptedServer::start(script))?;
    println!("{}", server.url());
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(server);
    runtime.shutdown_background();
    Ok(())
}

/// No two words are the same: a model that repeats itself would be stopped.
fn script() -> Script {
    let words = || (0..DELTAS).map(|number| Step::text(&format!("word{number} ")));
    let paced = words().flat_map(|word| [word, Step::DelayMs(PACE_MS)]);
    Script::lm_studio()
        .model(ONE_WORD)
        .model(PACED)
        .model(UNPACED)
        .steps([Step::text("hello"), Step::End])
        .only_model(ONE_WORD)
        .steps(paced.chain([Step::End]))
        .only_model(PACED)
        .steps(words().chain([Step::End]))
        .only_model(UNPACED)
        .model(STALLING)
        .model(ACTING)
        .steps([Step::text("Well"), Step::Stall])
        .only_model(STALLING)
        .steps([Step::tool_call("exec", json!({ "command": format!("sleep {SLEEP} & sleep {SLEEP}; echo end") })), Step::End])
        .only_model(ACTING)
}
