//! `tools`: which tools there are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::draft::{At, Draft};
use crate::tool_names::{is_known, names};
use crate::tree::{Node, NodeId, Value};
use crate::{Credential, Entries};

/// Which tools there are, and how they work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["agentToAgent", "codeMode", "elevated", "experimental", "fs", "links", "loopDetection", "media", "message", "sandbox", "sessions",
    "sessions_spawn", "subagents", "toolSearch"]))]
pub struct Tools {
    /// Which there are.
    #[serde(flatten)]
    pub policy: ToolPolicy,
    /// How commands run.
    pub exec: ExecOptions,
    /// How the web is reached.
    pub web: Web,
}

/// How the web is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Web {
    /// Asking a search engine.
    pub search: WebSearch,
    /// Getting pages.
    pub fetch: WebFetch,
}

/// Asking a search engine. There is none unless its address is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["apiKey", "brave", "cacheTtlMinutes", "firecrawl", "gemini", "grok", "kimi", "openaiCodex", "perplexity", "provider"]))]
pub struct WebSearch {
    /// Whether the tool is there.
    #[schemars(extend("x-default" = "true"))]
    pub enabled: Option<bool>,
    /// The address of an engine that speaks as SearXNG does. `plugins.entries.searxng.config.webSearch.baseUrl` and the variable
    /// `SEARXNG_BASE_URL` are read as this.
    #[schemars(length(min = 1), extend("x-krabba" = true))]
    pub base_url: Option<String>,
    /// As many results as are told when nothing is said.
    #[schemars(range(min = 1, max = 10), extend("x-default" = "5"))]
    pub max_results: Option<u32>,
    /// Seconds for an answer.
    #[schemars(range(min = 1), extend("x-default" = "30"))]
    pub timeout_seconds: Option<u32>,
}

/// Getting pages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["cacheTtlMinutes", "firecrawl", "maxCharsCap", "maxRedirects", "provider", "readability", "useTrustedEnvProxy", "userAgent"]))]
pub struct WebFetch {
    /// Whether the tool is there.
    #[schemars(extend("x-default" = "true"))]
    pub enabled: Option<bool>,
    /// The longest text that is given at once, in characters.
    #[schemars(range(min = 100), extend("x-default" = "50000"))]
    pub max_chars: Option<u32>,
    /// The longest page, in bytes.
    #[schemars(range(min = 1000, max = 16777216), extend("x-default" = "2097152"))]
    pub max_response_bytes: Option<u32>,
    /// Seconds for a page.
    #[schemars(range(min = 1), extend("x-default" = "30"))]
    pub timeout_seconds: Option<u32>,
    /// What may be reached besides the open internet.
    pub ssrf_policy: SsrfPolicy,
    /// Keys that pages are asked with, by names that models use. No model sees one.
    #[schemars(extend("x-krabba" = true))]
    pub secrets: Entries<PageSecret>,
}

/// A key that pages are asked with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PageSecret {
    /// The key.
    pub api_key: Option<Credential>,
    /// The hosts that get it, by their whole names, over `https` alone (or in your own network).
    pub hosts: Vec<String>,
    /// The header that it stands in. In `Authorization` it stands behind `Bearer`.
    #[schemars(length(min = 1), extend("x-default" = "Authorization"))]
    pub header: Option<String>,
}

/// What may be reached besides the open internet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["allowIpv6UniqueLocalRange", "allowPrivateNetwork", "allowRfc2544BenchmarkRange", "dangerouslyAllowPrivateNetwork", "hostnameAllowlist"]))]
pub struct SsrfPolicy {
    /// Hosts of your own network, each by its name or address, with a port or without (`nas.lan`, `192.168.1.5:8080`).
    pub allowed_hostnames: Vec<String>,
}

/// How commands run. Where they run is not to be chosen: it is always the sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["applyPatch", "ask", "cleanupMs", "commandHighlighting", "host", "mode", "node", "notifyOnExit", "notifyOnExitEmptySuccess", "pathPrepend",
    "pendingMaxOutput", "safeBins", "strictInlineEval"]))]
pub struct ExecOptions {
    /// Whether commands run at all. Those that do run in the sandbox, and what leaves it is asked about, whatever stands here.
    #[schemars(extend("x-default" = "full"))]
    pub security: Option<ExecSecurity>,
    /// After how many milliseconds a command goes on in the background.
    #[schemars(extend("x-default" = "60000"))]
    pub background_ms: Option<u32>,
    /// After how many seconds a command is ended that names no time itself.
    #[schemars(range(min = 1), extend("x-default" = "1800"))]
    pub timeout_sec: Option<u32>,
}

/// How far commands are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ExecSecurity {
    /// None runs.
    Deny,
    /// As `full`: the sandbox asks for no list.
    Allowlist,
    /// They run in the sandbox.
    Full,
}

/// Which tools there are. Each part only narrows what the ones before it leave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["elevated", "exec", "fs", "loopDetection", "message", "sandbox", "subagents", "toolSearch"]))]
pub struct ToolPolicy {
    /// Which.
    #[serde(flatten)]
    pub scope: ToolScope,
    /// For single providers (`lmstudio`) or models (`lmstudio/qwen3-8b`).
    pub by_provider: Entries<ToolScope>,
}

/// A choice of tools. Entries of its lists are names of tools, with `*` for any letters, or groups such as `group:fs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ToolScope {
    /// What there is to begin with.
    #[schemars(extend("x-default" = "full"))]
    pub profile: Option<ToolProfile>,
    /// Only these. An empty list is as good as none.
    pub allow: Vec<String>,
    /// These besides those of `profile` and `allow`.
    pub also_allow: Vec<String>,
    /// None of these, whatever the other lists say.
    pub deny: Vec<String>,
}

/// A choice that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ToolProfile {
    /// Nothing that acts.
    Minimal,
    /// Files, commands, the web, pictures, sessions, memory, and the tools of MCP servers.
    Coding,
    /// Messages and sessions, and the tools of MCP servers.
    Messaging,
    /// Everything.
    Full,
}

impl ToolProfile {
    /// What is in it, as entries of a list; `None` for everything.
    pub fn entries(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Minimal => Some(&["session_status"]),
            Self::Coding => {
                Some(&["group:fs", "group:runtime", "group:web", "group:sessions", "group:memory", "cron", "image", "group:plugins"])
            }
            Self::Messaging => {
                Some(&["group:messaging", "sessions_list", "sessions_history", "sessions_send", "session_status", "group:plugins"])
            }
            Self::Full => None,
        }
    }
}

/// Names in `tools` that no tool has. `drop` is called with lists that must be left out.
pub(crate) fn judge(root: &Node, drafts: &mut Vec<Draft>, drop: &mut impl FnMut(NodeId)) {
    let agents = root.get("agents");
    let list = agents.and_then(|agents| agents.get("list")).and_then(Node::as_list).unwrap_or_default();
    let entries = agents.and_then(|agents| agents.get("entries")).and_then(Node::as_object);
    let each = list.iter().chain(entries.into_iter().flat_map(|object| object.entries.iter().map(|(_, node)| node)));
    // A server may call its tools whatever it likes.
    let servers = root.at(&["mcp", "servers"]).and_then(Node::as_object).is_some_and(|servers| !servers.entries.is_empty());
    for tools in each.filter_map(|agent| agent.get("tools")).chain(root.get("tools")) {
        scope(tools, servers, drafts, drop);
        let providers = tools.get("byProvider").and_then(Node::as_object);
        providers.into_iter().flat_map(|object| &object.entries).for_each(|(_, node)| scope(node, servers, drafts, drop));
    }
}

fn scope(node: &Node, servers: bool, drafts: &mut Vec<Draft>, drop: &mut impl FnMut(NodeId)) {
    for key in ["allow", "alsoAllow", "deny"] {
        let Some(list) = node.get(key) else { continue };
        let items = list.as_list().unwrap_or_default();
        let texts = || items.iter().filter_map(|item| Some((item, item.as_text()?)));
        for (item, text) in texts().filter(|(_, text)| !is_known(text)) {
            let meant = crate::suggest::closest(text, names());
            if meant.is_none() && servers {
                continue;
            }
            let draft = Draft::warning("unknown-tool", At::Value(item.id), format!("there is no tool \"{text}\""));
            drafts.push(match meant {
                Some(meant) => draft.help(format!("did you mean \"{meant}\"?")),
                None => draft.help("tools of MCP servers are called <server>__<tool>; remove it, or check its name"),
            });
        }
        if key == "allow"
            && !servers
            && matches!(list.value, Value::List(_))
            && !items.is_empty()
            && !texts().any(|(_, text)| is_known(text))
        {
            let draft = Draft::warning("unknown-tools", At::Key(list.id), "no entry of this list is a tool, so that it is not used");
            drafts.push(draft.help("to have no tools at all, write deny: [\"*\"]"));
            drop(list.id);
        }
    }
}
