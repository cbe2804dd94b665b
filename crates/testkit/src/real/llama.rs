//! llama.cpp's own server.

use std::io;
use std::path::Path;
use std::process::Command;

use super::process::{ServerProcess, cached, free_port};

/// A model file that `cargo xtask servers` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelFile {
    /// A known reply, a window of 8,192 tokens.
    Scripted,
    /// A known reply, a window of 65,536 tokens.
    ScriptedLong,
    /// A known reply, a window of 1,024 tokens: for true overflows.
    ScriptedSmall,
    /// Calls tools until a small task is done, then the known reply: `models/task.json` says which. A window of 65,536 tokens.
    ScriptedTask,
    /// The same task by a model whose template knows no tools and takes nothing but user and assistant in turns. A window of 8,192
    /// tokens.
    ScriptedTextTask,
    /// Noise without end: for cancelling and for killing in the middle of an answer.
    Random,
    /// The same of a tenth of the size, for hundreds of answers.
    RandomTiny,
    /// A known reply; loads for a few tenths of a second, during which every route answers 503.
    SlowToLoad,
}

impl ModelFile {
    fn name(self) -> &'static str {
        match self {
            Self::Scripted => "scripted-8k.gguf",
            Self::ScriptedLong => "scripted-64k.gguf",
            Self::ScriptedSmall => "scripted-small-window.gguf",
            Self::ScriptedTask => "scripted-task.gguf",
            Self::ScriptedTextTask => "scripted-text-task.gguf",
            Self::Random => "random-8k.gguf",
            Self::RandomTiny => "random-tiny-8k.gguf",
            Self::SlowToLoad => "slow-to-load.gguf",
        }
    }
}

/// A running `llama-server`.
#[derive(Debug)]
pub struct LlamaServer {
    process: ServerProcess,
}

impl LlamaServer {
    /// What every model made with `--scripted` answers to a turn without tools.
    pub const REPLY: &'static str = "Hello! I am a tiny scripted model, and I end my turn here.";

    /// Starts it and waits until the model is loaded. `arguments` are added to the command line.
    ///
    /// # Errors
    /// When the program or the model is not in the cache, or the server does not start.
    pub async fn start(model: ModelFile, arguments: &[&str]) -> io::Result<Self> {
        let mut server = Self::start_cold(model, arguments)?;
        server.process.wait_for("/health").await?;
        Ok(server)
    }

    /// Starts it and returns at once, while nothing is loaded yet.
    ///
    /// # Errors
    /// As [`LlamaServer::start`], without waiting for readiness.
    pub fn start_cold(model: ModelFile, arguments: &[&str]) -> io::Result<Self> {
        let port = free_port()?;
        Self::start_on(port, model, arguments)
    }

    /// The same on a chosen port: a server that comes back where it was.
    ///
    /// # Errors
    /// As [`LlamaServer::start_cold`].
    pub fn start_on(port: u16, model: ModelFile, arguments: &[&str]) -> io::Result<Self> {
        let program = cached(Path::new("llama-server-0.3.36/llama-server"))?;
        let model = cached(&Path::new("models").join(model.name()))?;
        let mut command = Command::new(program);
        command
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--jinja", "--threads", "1", "--model"])
            .arg(model)
            .args(arguments);
        Ok(Self { process: ServerProcess::start(command, "llama-server", port)? })
    }

    /// Waits until the model is loaded.
    ///
    /// # Errors
    /// When the process ends first, or after two minutes.
    pub async fn ready(&mut self) -> io::Result<()> {
        self.process.wait_for("/health").await
    }

    /// The status of `GET /health` now; `None` while nobody listens.
    pub async fn health(&self) -> Option<u16> {
        self.process.status("/health").await
    }

    /// `http://127.0.0.1:PORT`, without `/v1`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.process.port())
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.process.port()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills it, connections and all.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}
