//! What the owner knows of the tools of servers.

use std::collections::BTreeMap;
use std::sync::Arc;

use krabba_store::{McpTool, Store, StoreError};
use serde::Serialize;

use crate::Definition;

/// How many characters of a hash name a definition to a person.
const SHORT: usize = 16;

/// A tool of a server, as the owner knows it and as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    /// The server's key in the configuration.
    pub server: String,
    /// The tool's name at the server.
    pub tool: String,
    /// Where it stands.
    pub standing: Standing,
    /// What the owner knows.
    pub approved: Option<Definition>,
    /// What the server offers instead.
    pub waiting: Option<Definition>,
    /// Names what waits, or else what is known: the beginning of its hash.
    pub id: String,
}

/// Where a tool stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is offered.
    Approved,
    /// It looks different now, and is not offered.
    Changed,
    /// It came after the server was first seen, and is not offered.
    New,
}

/// The pins of all servers.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    store: Arc<Store>,
}

impl Pins {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    pub(crate) fn all(&self) -> Result<Vec<Pin>, StoreError> {
        Ok(self.store.mcp_tools()?.iter().filter_map(pin).collect())
    }

    pub(crate) fn knows(&self, server: &str) -> Result<bool, StoreError> {
        self.store.knows_mcp_server(server)
    }

    /// Notes what a server offers, and says what stands about its tools.
    pub(crate) fn see(&self, server: &str, offered: &BTreeMap<String, Definition>) -> Result<Vec<Pin>, StoreError> {
        let texts = offered.iter().map(|(name, definition)| (name.clone(), definition.to_text())).collect();
        Ok(self.store.see_mcp_tools(server, &texts)?.iter().filter_map(pin).collect())
    }

    pub(crate) fn approve(&self, pin: &Pin) -> Result<bool, StoreError> {
        match &pin.waiting {
            Some(definition) => self.store.approve_mcp_tool(&pin.server, &pin.tool, &definition.to_text()),
            None => Ok(false),
        }
    }

    pub(crate) fn news(&self) -> Result<Vec<Pin>, StoreError> {
        Ok(self.store.tell_mcp_tools()?.iter().filter_map(pin).collect())
    }
}

/// `None` for a row that says nothing, or that nobody can read.
fn pin(row: &McpTool) -> Option<Pin> {
    let approved = row.approved.as_deref().and_then(Definition::from_text);
    let waiting = row.waiting.as_deref().and_then(Definition::from_text);
    let standing = match (&approved, &waiting) {
        (Some(_), None) => Standing::Approved,
        (Some(_), Some(_)) => Standing::Changed,
        (None, Some(_)) => Standing::New,
        (None, None) => return None,
    };
    let id = waiting.as_ref().or(approved.as_ref())?.hash(&row.server).chars().take(SHORT).collect();
    Some(Pin { server: row.server.clone(), tool: row.tool.clone(), standing, approved, waiting, id })
}
