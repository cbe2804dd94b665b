//! A hosted provider for tests of failover: Anthropic's shapes, a key that must be right, an answer.

use std::io;
use std::ops::Deref;

use crate::{Script, ScriptedServer};

/// A scripted server in Anthropic's shape that asks for its `x-api-key`.
pub struct FakeHosted {
    server: ScriptedServer,
}

impl FakeHosted {
    /// The key that it takes.
    pub const KEY: &'static str = "sk-ant-scripted-0123456789";
    /// The model that it has.
    pub const MODEL: &'static str = "claude-scripted";

    /// Starts one that answers with this text.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn start(text: &str) -> io::Result<Self> {
        let script = Script::anthropic().model(Self::MODEL).window(200_000).key(Self::KEY).reply(text);
        Ok(Self { server: ScriptedServer::start(script).await? })
    }
}

impl Deref for FakeHosted {
    type Target = ScriptedServer;

    fn deref(&self) -> &ScriptedServer {
        &self.server
    }
}
