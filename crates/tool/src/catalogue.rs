//! All tools of an agent, by name.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use krabba_types::ToolSpec;

use crate::Tool;

/// The tools of an agent. Tools of MCP servers join and leave while the program runs; those that stand in the prompt of a
/// session were chosen when it began.
#[derive(Default)]
pub struct Catalogue {
    tools: RwLock<BTreeMap<String, Arc<dyn Tool>>>,
}

impl Catalogue {
    /// Puts a tool in, in the place of one with the same name.
    pub fn add(&self, tool: Arc<dyn Tool>) {
        let name = tool.spec().name.clone();
        self.tools.write().unwrap_or_else(PoisonError::into_inner).insert(name, tool);
    }

    /// Takes a tool out.
    pub fn remove(&self, name: &str) {
        self.tools.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// The tool of this name.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Tool>> {
        self.tools.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All tools, by name.
    pub fn all(&self) -> Vec<Arc<dyn Tool>> {
        self.tools.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tools.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// What the model sees of all of them, by name.
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools.read().unwrap_or_else(PoisonError::into_inner).values().map(|tool| tool.spec().clone()).collect()
    }
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tools = self.tools.read().unwrap_or_else(PoisonError::into_inner);
        formatter.debug_set().entries(tools.keys()).finish()
    }
}
