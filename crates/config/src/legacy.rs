//! Keys that OpenClaw has renamed, moved to where they are now. In memory: the file stays as it is.

use crate::draft::{At, Draft};
use crate::tree::{Node, NodeId, Object, Value};

/// Moves old keys. Each move is one notice.
pub(crate) fn migrate(root: &mut Node) -> Vec<Draft> {
    let mut drafts = Vec::new();
    if let Some(object) = root.as_object_mut() {
        provider_addresses(object);
        search_engine(object);
        if let Some(agent) = object.remove("agent") {
            old_agent(object, agent, &mut drafts);
        }
    }
    drafts
}

/// `baseURL` is what everyone types; newer OpenClaw versions take it without a word, and so do we.
fn provider_addresses(root: &mut Object) {
    let providers = root.get_mut("models").and_then(Node::as_object_mut).and_then(|models| models.get_mut("providers"));
    for (_, provider) in providers.and_then(Node::as_object_mut).into_iter().flat_map(|providers| &mut providers.entries) {
        if let Some(provider) = provider.as_object_mut()
            && provider.get("baseUrl").is_none()
            && let Some((key, _)) = provider.entries.iter_mut().find(|(key, _)| key == "baseURL")
        {
            *key = "baseUrl".to_owned();
        }
    }
}

/// Where OpenClaw's plugin for SearXNG has the engine's address.
fn search_engine(root: &mut Object) {
    let plugin = ["plugins", "entries", "searxng", "config", "webSearch", "baseUrl"];
    let Some((first, rest)) = plugin.split_first() else { return };
    let Some(address) = root.get(first).and_then(|node| node.at(rest)).filter(|node| node.as_text().is_some()).cloned() else { return };
    let id = address.id;
    let search = root.object_or_insert("tools", id).and_then(|tools| tools.object_or_insert("web", id)?.object_or_insert("search", id));
    if let Some(search) = search.filter(|search| search.get("baseUrl").is_none()) {
        search.entries.push(("baseUrl".to_owned(), address));
    }
}

/// The single `agent` of the first versions became `agents.defaults`.
fn old_agent(root: &mut Object, agent: Node, drafts: &mut Vec<Draft>) {
    let id = agent.id;
    let Value::Object(agent) = agent.value else {
        drafts.push(Draft::error("wrong-type", At::Key(id), format!("`agent` is {}", agent.kind())).key("agent").expected("an object"));
        return;
    };
    let Some(defaults) = root.object_or_insert("agents", id).and_then(|agents| agents.object_or_insert("defaults", id)) else { return };
    for (key, node) in agent.entries {
        let node_id = node.id;
        let now = match key.as_str() {
            "model" if node.as_text().is_some() => choose(defaults, "model", "primary", node),
            "imageModel" if node.as_text().is_some() => choose(defaults, "imageModel", "primary", node),
            "modelFallbacks" => choose(defaults, "model", "fallbacks", node),
            "imageModelFallbacks" => choose(defaults, "imageModel", "fallbacks", node),
            "allowedModels" => allowed(defaults, node),
            "modelAliases" => aliases(defaults, node),
            _ => {
                if defaults.get(&key).is_none() {
                    defaults.entries.push((key.clone(), node));
                }
                format!("agents.defaults.{key}")
            }
        };
        let draft = Draft::notice("old-key", At::Key(node_id), format!("this key is now {now}; it is read as that"));
        drafts.push(draft.key(format!("agent.{key}")));
    }
}

/// Puts one half of a model choice in place, unless the new key says it already.
fn choose(defaults: &mut Object, key: &str, half: &str, node: Node) -> String {
    let id = node.id;
    if let Some(existing) = defaults.get_mut(key)
        && let Some(text) = existing.as_text()
    {
        let primary = Node::text(existing.id, text);
        existing.value = Value::Object(Object { entries: vec![("primary".to_owned(), primary)] });
    }
    if let Some(choice) = defaults.object_or_insert(key, id)
        && choice.get(half).is_none()
    {
        choice.entries.push((half.to_owned(), node));
    }
    format!("agents.defaults.{key}.{half}")
}

fn allowed(defaults: &mut Object, node: Node) -> String {
    for reference in node.as_list().unwrap_or_default() {
        if let Some(text) = reference.as_text() {
            options(defaults, text, reference.id);
        }
    }
    "the keys of agents.defaults.models".to_owned()
}

fn aliases(defaults: &mut Object, node: Node) -> String {
    for (alias, reference) in node.as_object().into_iter().flat_map(|object| &object.entries) {
        if let Some(options) = reference.as_text().and_then(|text| options(defaults, text, reference.id))
            && options.get("alias").is_none()
        {
            options.entries.push(("alias".to_owned(), Node::text(reference.id, alias.as_str())));
        }
    }
    "agents.defaults.models[…].alias".to_owned()
}

fn options<'o>(defaults: &'o mut Object, reference: &str, id: NodeId) -> Option<&'o mut Object> {
    defaults.object_or_insert("models", id)?.object_or_insert(reference, id)
}
