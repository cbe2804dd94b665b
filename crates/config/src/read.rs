//! From the checked tree to the typed configuration.

use std::collections::HashSet;

use krabba_types::{AgentId, ProviderId};
use serde::Deserialize;

use crate::draft::{At, Draft};
use crate::node_reader::{Context, NodeReader};
use crate::tree::{Node, Value};
use crate::{Agent, AgentOptions, Agents, Config, Mcp, Mode, Model, Models, Provider, Raw, Tools};

/// Reads everything that is not broken. Faults that only serde can see are added to `drafts`.
pub(crate) fn read(root: &Node, context: Context<'_>, drafts: &mut Vec<Draft>) -> Config {
    let mut reading = Reading { context, drafts };
    Config {
        models: reading.models(root.get("models")),
        agents: reading.agents(root.get("agents")),
        auth: reading.section(root.get("auth")),
        privacy: reading.section(root.get("privacy")),
        address_book: reading.section(root.get("addressBook")),
        mcp: reading.mcp(root.get("mcp")),
        session: raw(root.get("session")),
        messages: reading.section(root.get("messages")),
        gateway: raw(root.get("gateway")),
        tools: reading.tools(root.get("tools")),
        channels: raw(root.get("channels")),
    }
}

fn raw(node: Option<&Node>) -> Raw {
    Raw::from(node.map(Node::to_json).unwrap_or_default())
}

struct Reading<'t, 'd> {
    context: Context<'t>,
    drafts: &'d mut Vec<Draft>,
}

impl<'t> Reading<'t, '_> {
    /// A value, unless it is absent, null or broken.
    fn value<T: Deserialize<'t>>(&mut self, node: Option<&'t Node>) -> Option<T> {
        let node = node.filter(|node| !matches!(node.value, Value::Null) && !self.context.broken.contains(&node.id))?;
        match T::deserialize(NodeReader::new(node, self.context)) {
            Ok(value) => Some(value),
            Err(error) => {
                self.drafts.push(Draft::error("wrong-value", At::Key(node.id), error.to_string()));
                None
            }
        }
    }

    fn section<T: Deserialize<'t> + Default>(&mut self, node: Option<&'t Node>) -> T {
        self.value(node).unwrap_or_default()
    }

    /// The members of an object that are objects and not broken.
    fn members(&self, node: Option<&'t Node>) -> Vec<(&'t str, &'t Node)> {
        let entries = node.and_then(Node::as_object).map(|object| object.entries.as_slice()).unwrap_or_default();
        entries.iter().filter(|(_, node)| self.is_object(node)).map(|(key, node)| (key.as_str(), node)).collect()
    }

    fn is_object(&self, node: &Node) -> bool {
        node.as_object().is_some() && !self.context.broken.contains(&node.id)
    }

    fn tools(&mut self, node: Option<&'t Node>) -> Tools {
        let part = |name: &str| node.and_then(|node| node.get(name));
        Tools { policy: self.section(node), exec: self.section(part("exec")), web: self.section(part("web")) }
    }

    fn models(&mut self, node: Option<&'t Node>) -> Models {
        let mode: Option<Mode> = self.value(node.and_then(|node| node.get("mode")));
        let providers = self.members(node.and_then(|node| node.get("providers")));
        let providers = providers.into_iter().filter_map(|(key, node)| Some((key.to_owned(), self.provider(key, node)?)));
        Models { mode: mode.unwrap_or_default(), providers: providers.collect() }
    }

    fn provider(&mut self, key: &str, node: &'t Node) -> Option<Provider> {
        let models = node.get("models").and_then(Node::as_list).unwrap_or_default();
        Some(Provider {
            id: ProviderId::new(key),
            server: self.value(Some(node))?,
            defaults: self.value(Some(node))?,
            stand: self.value(Some(node))?,
            local_service: self.value(node.get("localService")),
            models: models.iter().filter_map(|model| self.value::<Model>(Some(model))).collect(),
        })
    }

    fn mcp(&mut self, node: Option<&'t Node>) -> Mcp {
        let servers = self.members(node.and_then(|node| node.get("servers")));
        let servers = servers.into_iter().filter_map(|(key, node)| Some((key.to_owned(), self.value(Some(node))?)));
        Mcp { servers: servers.collect() }
    }

    fn agents(&mut self, node: Option<&'t Node>) -> Agents {
        let defaults = self.section(node.and_then(|node| node.get("defaults")));
        let mut list = Vec::new();
        let mut seen = HashSet::new();
        for (key, node) in self.members(node.and_then(|node| node.get("entries"))) {
            if let Some(options) = self.value::<AgentOptions>(Some(node))
                && seen.insert(key)
            {
                list.push(Agent { id: AgentId::new(key), options });
            }
        }
        for node in node.and_then(|node| node.get("list")).and_then(Node::as_list).unwrap_or_default() {
            let id = node.get("id").and_then(Node::as_text).filter(|_| self.is_object(node));
            let Some(id) = id else { continue };
            if !seen.insert(id) {
                let draft = Draft::warning(
                    "duplicate-agent",
                    At::Key(node.id),
                    format!("there is already an agent \"{id}\"; this one is left out"),
                );
                self.drafts.push(draft.help("give it another id, or join the two"));
            } else if let Some(options) = self.value::<AgentOptions>(Some(node)) {
                list.push(Agent { id: AgentId::new(id), options });
            }
        }
        Agents { defaults, list }
    }
}
