//! What can be wrong although every value has the right form. Only what the file itself can tell: whether a model exists
//! is for those who know the servers.

use std::collections::HashMap;

use krabba_types::{Dialect, ToolAbility};

use crate::draft::{At, Draft};
use crate::tree::{Node, NodeId, Value};

/// Looks at the tree. `drop` is called with entries that must be left out.
pub(crate) fn judge(root: &Node, drafts: &mut Vec<Draft>, mut drop: impl FnMut(NodeId)) {
    providers(root, drafts, &mut drop);
    let agents = root.get("agents");
    let defaults = agents.and_then(|agents| agents.get("defaults"));
    aliases(root, defaults, drafts);
    mcp_servers(root, drafts, &mut drop);
    let list = agents.and_then(|agents| agents.get("list")).and_then(Node::as_list).unwrap_or_default();
    let entries = agents.and_then(|agents| agents.get("entries")).and_then(Node::as_object);
    let each = defaults.into_iter().chain(list).chain(entries.into_iter().flat_map(|object| object.entries.iter().map(|(_, node)| node)));
    for agent in each {
        choice(agent.get("model"), drafts);
        choice(agent.get("imageModel"), drafts);
    }
    auth(root, drafts);
    crate::tools::judge(root, drafts, &mut drop);
    if let Some(shell) = root.at(&["env", "shellEnv", "enabled"])
        && matches!(shell.value, Value::Bool(true))
    {
        let draft = Draft::notice("shell-not-run", At::Key(shell.id), "the login shell is not run to find variables");
        drafts.push(draft.help("put them into ~/.krabba/.env"));
    }
}

fn members<'t>(root: &'t Node, keys: &[&str]) -> &'t [(String, Node)] {
    root.at(keys).and_then(Node::as_object).map(|object| object.entries.as_slice()).unwrap_or_default()
}

fn providers(root: &Node, drafts: &mut Vec<Draft>, drop: &mut impl FnMut(NodeId)) {
    let mut seen: HashMap<String, NodeId> = HashMap::new();
    for (key, provider) in members(root, &["models", "providers"]) {
        if let Some(&first) = seen.get(&key.trim().to_lowercase()) {
            let draft = Draft::error("duplicate-provider", At::Key(provider.id), "two providers have this name, as case does not count");
            drafts.push(draft.related(first, "the first one").help("rename one of them"));
            drop(provider.id);
            continue;
        }
        seen.insert(key.trim().to_lowercase(), provider.id);
        if key.contains('/') || key.trim().is_empty() {
            let draft = Draft::error("bad-name", At::Key(provider.id), "a provider's name cannot be empty or contain a /");
            drafts.push(draft.help("a reference is provider/model, cut at its first /"));
            drop(provider.id);
        }
        address(provider, drafts, drop);
        residency(provider, drafts, drop);
        if let Some(service) = provider.at(&["localService", "command"])
            && service.as_text().is_some_and(|command| !command.starts_with(['/', '~']) && !command.contains(":\\"))
        {
            let draft = Draft::error("relative-command", At::Value(service.id), "the command is not an absolute path");
            drafts.push(draft.help("write the whole path, as `which` prints it"));
            drop(provider.id);
        }
        if let Some(auth) = provider.get("auth")
            && let Some(kind @ ("oauth" | "aws-sdk")) = auth.as_text()
        {
            let draft = Draft::warning("unsupported-auth", At::Value(auth.id), format!("auth \"{kind}\" is not supported yet"));
            drafts.push(draft.help("give an apiKey; this provider is asked without one until then"));
        }
        models(provider, drafts);
    }
}

fn mcp_servers(root: &Node, drafts: &mut Vec<Draft>, drop: &mut impl FnMut(NodeId)) {
    for (_, server) in members(root, &["mcp", "servers"]) {
        match (server.get("command"), server.get("url").and_then(|url| Some((url, url.as_text()?)))) {
            (None, None) => {
                let draft = Draft::error("no-way", At::Key(server.id), "this MCP server has neither a command nor a url");
                drafts.push(draft.help("a program needs command, a server that listens needs url"));
                drop(server.id);
            }
            (None, Some((url, text))) if !text.contains("${") => {
                let scheme = text.split_once("://").is_some_and(|(scheme, _)| matches!(scheme, "http" | "https"));
                if !scheme || !is_address(text, true) {
                    let draft = Draft::error("bad-address", At::Value(url.id), "this is no address of an MCP server");
                    drafts.push(draft.expected("an http or https address such as http://127.0.0.1:8000/mcp"));
                    drop(server.id);
                }
            }
            (Some(_), _) | (None, Some(_)) => {}
        }
        for key in ["auth", "oauth"] {
            if let Some(node) = server.get(key) {
                let draft = Draft::warning("unsupported-auth", At::Key(node.id), "krabba does not log in to MCP servers");
                drafts.push(draft.help("give a token in headers; the server is asked without a login"));
            }
        }
    }
}

fn address(provider: &Node, drafts: &mut Vec<Draft>, drop: &mut impl FnMut(NodeId)) {
    // What is no text, or an empty one, was said to be that.
    let Some((node, text)) = provider.get("baseUrl").and_then(|node| Some((node, node.as_text()?.trim()))) else { return };
    if text.is_empty() {
        return;
    }
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let foreign = scheme.as_ref().is_some_and(|scheme| scheme != "http" && scheme != "https");
    // A variable that is put in later may hold any part of it.
    let broken = !text.contains("${") && !is_address(text, scheme.is_some());
    if foreign || broken || text.contains(char::is_whitespace) {
        let draft = Draft::error("bad-address", At::Value(node.id), "this is no address of a model server");
        drafts.push(draft.expected("an http or https address such as http://127.0.0.1:1234/v1"));
        drop(provider.id);
    } else if text.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().unwrap_or_default().contains('@')) {
        let draft = Draft::warning("password-in-address", At::Value(node.id), "there is a name or password in the address");
        drafts.push(draft.help("use apiKey or headers, which are kept out of logs"));
    }
}

fn is_address(text: &str, has_scheme: bool) -> bool {
    let whole = if has_scheme { text.to_owned() } else { format!("http://{text}") };
    url::Url::parse(&whole).is_ok_and(|url| url.host_str().is_some())
}

fn residency(provider: &Node, drafts: &mut Vec<Draft>, drop: &mut impl FnMut(NodeId)) {
    let (Some(residency), Some(region)) = (provider.get("residency"), provider.get("region")) else { return };
    let (Some(stated), Some(code)) = (residency.as_text(), region.as_text()) else { return };
    if !stated.eq_ignore_ascii_case(&format!("region:{code}")) {
        let draft = Draft::error("contradiction", At::Value(residency.id), format!("residency \"{stated}\" contradicts region \"{code}\""));
        drafts.push(draft.related(region.id, "the region").help("keep one of them"));
        drop(provider.id);
    }
}

fn models(provider: &Node, drafts: &mut Vec<Draft>) {
    let mut seen: HashMap<&str, NodeId> = HashMap::new();
    for model in provider.get("models").and_then(Node::as_list).unwrap_or_default() {
        let Some(id) = model.get("id") else { continue };
        let Some(name) = id.as_text() else { continue };
        if let Some(&first) = seen.get(name) {
            let draft =
                Draft::warning("duplicate-model", At::Value(id.id), format!("model \"{name}\" is listed twice; the first entry counts"));
            drafts.push(draft.related(first, "the first entry").help("remove one of them"));
        } else {
            seen.insert(name, id.id);
        }
        held(provider, model, drafts);
        let number = |key: &str| match model.get(key).map(|node| (node.id, &node.value)) {
            Some((id, &Value::Integer(number))) => Some((id, number)),
            Some(_) | None => None,
        };
        let Some((_, window)) = number("contextWindow") else { continue };
        for key in ["maxTokens", "contextTokens"] {
            if let Some((id, tokens)) = number(key)
                && tokens > window
            {
                let draft =
                    Draft::warning("larger-than-window", At::Value(id), format!("{key} {tokens} is more than contextWindow {window}"));
                drafts.push(draft.help(format!("the window counts; lower {key} or raise contextWindow")));
            }
        }
    }
}

/// Not every API can ask that a model is held to the form of its calls.
fn held(provider: &Node, model: &Node, drafts: &mut Vec<Draft>) {
    let Some(calls) = model.at(&["compat", "toolCalls"]).filter(|node| node.as_text() == Some(ToolAbility::Constrained.name())) else {
        return;
    };
    let Some(api) = model.get("api").or_else(|| provider.get("api")) else { return };
    if let Some(Ok(dialect)) = api.as_text().map(str::parse::<Dialect>)
        && !dialect.can_hold()
    {
        let message = format!("no model is held to the form of its calls in {dialect}; this one is told of tools in words");
        let help = format!("use another api, such as {}, or \"text\"", Dialect::OpenAiCompletions);
        drafts.push(Draft::warning("not-held", At::Value(calls.id), message).related(api.id, "the api").help(help));
    }
}

fn aliases(root: &Node, defaults: Option<&Node>, drafts: &mut Vec<Draft>) {
    let Some(options) = defaults.and_then(|defaults| defaults.get("models")).and_then(Node::as_object) else { return };
    let ids: HashMap<String, NodeId> = members(root, &["models", "providers"])
        .iter()
        .flat_map(|(key, provider)| {
            let models = provider.get("models").and_then(Node::as_list).unwrap_or_default();
            let ids = models.iter().filter_map(|model| model.get("id")).filter_map(move |id| {
                let name = id.as_text()?;
                Some([(name.to_lowercase(), id.id), (format!("{key}/{name}").to_lowercase(), id.id)])
            });
            ids.flatten()
        })
        .collect();
    let mut seen: HashMap<String, NodeId> = HashMap::new();
    for (reference, option) in &options.entries {
        let Some(alias) = option.get("alias") else { continue };
        let Some(name) = alias.as_text().map(|text| text.trim().to_lowercase()).filter(|name| !name.is_empty()) else { continue };
        if let Some(&first) = seen.get(&name) {
            let draft = Draft::warning("duplicate-alias", At::Value(alias.id), format!("alias \"{name}\" is given twice; this one counts"));
            drafts.push(draft.related(first, "the other one").help("give one of them another name"));
            continue;
        }
        seen.insert(name.clone(), alias.id);
        let bare = reference.split_once('/').map_or(reference.as_str(), |(_, model)| model).to_lowercase();
        if let Some(&model) = ids.get(&name).filter(|_| name != bare && name != reference.to_lowercase()) {
            let draft = Draft::warning(
                "alias-hides-model",
                At::Value(alias.id),
                format!("alias \"{name}\" is also the id of another model, which it hides"),
            );
            drafts.push(draft.related(model, "that model").help("give the alias another name"));
        }
    }
}

fn choice(node: Option<&Node>, drafts: &mut Vec<Draft>) {
    let Some(choice) = node.and_then(Node::as_object) else { return };
    let normal = |node: &Node| node.as_text().map(|text| text.trim().to_lowercase());
    let mut seen: HashMap<String, (NodeId, &'static str)> = HashMap::new();
    if let Some(primary) = choice.get("primary")
        && let Some(text) = normal(primary)
    {
        seen.insert(text, (primary.id, "the primary"));
    }
    for fallback in choice.get("fallbacks").and_then(Node::as_list).unwrap_or_default() {
        let Some(text) = normal(fallback) else { continue };
        match seen.get(&text) {
            Some(&(first, what)) => {
                let draft =
                    Draft::warning("repeated-fallback", At::Value(fallback.id), "this model is already in the chain; it is asked once");
                drafts.push(draft.related(first, what).help("remove it"));
            }
            None => {
                seen.insert(text, (fallback.id, "the first mention"));
            }
        }
    }
}

fn auth(root: &Node, drafts: &mut Vec<Draft>) {
    let profiles = root.at(&["auth", "profiles"]);
    for (_, order) in members(root, &["auth", "order"]) {
        for name in order.as_list().unwrap_or_default() {
            if let Some(text) = name.as_text()
                && profiles.and_then(|profiles| profiles.get(text)).is_none()
            {
                let draft = Draft::warning("no-such-profile", At::Value(name.id), format!("there is no auth.profiles entry \"{text}\""));
                let known = members(root, &["auth", "profiles"]).iter().map(|(key, _)| key.as_str());
                drafts.push(match crate::suggest::closest(text, known) {
                    Some(meant) => draft.help(format!("did you mean \"{meant}\"?")),
                    None => draft.help("OpenClaw may keep it in its own store, which is not read; give the key in auth.profiles"),
                });
            }
        }
    }
}
