//! LiteLLM's proxy.

use std::io;
use std::path::Path;
use std::process::Command;

use super::process::{ServerProcess, cached, free_port};

/// A running LiteLLM proxy. It starts in about 12 s, so a test file shares one.
#[derive(Debug)]
pub struct LiteLlm {
    process: ServerProcess,
    directory: std::path::PathBuf,
}

impl LiteLlm {
    /// The key that the proxy wants from its clients.
    pub const KEY: &'static str = "sk-krabba-test-master-key";

    /// Starts a proxy with this configuration (YAML; JSON is YAML).
    ///
    /// # Errors
    /// When LiteLLM is not in the cache, or the proxy does not become ready.
    pub async fn start(configuration: &str) -> io::Result<Self> {
        let port = free_port()?;
        let program = cached(Path::new("litellm-1.106.2/bin/litellm"))?;
        let directory = std::env::temp_dir().join(format!("krabba-litellm-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        let file = directory.join("config.yaml");
        std::fs::write(&file, configuration)?;
        let mut command = Command::new(program);
        command
            .current_dir(&directory)
            .env("LITELLM_MASTER_KEY", Self::KEY)
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .env("NO_PROXY", "127.0.0.1")
            .args(["--host", "127.0.0.1", "--telemetry", "False", "--port", &port.to_string(), "--config"])
            .arg(&file);
        let mut process = ServerProcess::start(command, "litellm", port)?;
        process.wait_for("/health/liveliness").await?;
        Ok(Self { process, directory })
    }

    /// `http://127.0.0.1:PORT`, without `/v1`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.process.port())
    }
}

impl Drop for LiteLlm {
    fn drop(&mut self) {
        self.process.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
