//! The names of tools and of groups of tools, as `tools.allow` and its like use them.

/// Tools that OpenClaw knows, those of krabba among them.
const TOOLS: [&str; 31] = [
    "agents_list",
    "apply_patch",
    "browser",
    "canvas",
    "cron",
    "edit",
    "exec",
    "find",
    "gateway",
    "grep",
    "image",
    "ls",
    "memory_get",
    "memory_search",
    "message",
    "nodes",
    "pdf",
    "process",
    "read",
    "session_status",
    "sessions_history",
    "sessions_list",
    "sessions_send",
    "sessions_spawn",
    "sessions_yield",
    "subagents",
    "tts",
    "web_fetch",
    "web_search",
    "whatsapp_login",
    "write",
];

/// The group of everything that krabba does not bring itself: tools of MCP servers and plugins.
pub(crate) const PLUGINS: &str = "group:plugins";

/// Groups, and what is in them.
const GROUPS: [(&str, &[&str]); 12] = [
    ("group:agents", &["agents_list"]),
    ("group:automation", &["cron", "gateway"]),
    ("group:fs", &["read", "write", "edit", "apply_patch", "ls", "find", "grep"]),
    ("group:media", &["image", "pdf", "tts"]),
    ("group:memory", &["memory_search", "memory_get"]),
    ("group:messaging", &["message"]),
    ("group:nodes", &["nodes"]),
    ("group:openclaw", &TOOLS),
    ("group:runtime", &["exec", "process"]),
    (
        "group:sessions",
        &["sessions_list", "sessions_history", "sessions_send", "sessions_spawn", "sessions_yield", "subagents", "session_status"],
    ),
    ("group:ui", &["browser", "canvas"]),
    ("group:web", &["web_search", "web_fetch"]),
];

/// What an entry of a list of tools stands for, in lower case: a name, or a group's names, each perhaps with `*`; and `group:plugins`
/// for whatever krabba does not bring itself.
pub fn tools_meant(entry: &str) -> Vec<String> {
    let entry = normal(entry);
    match GROUPS.iter().find(|(group, _)| *group == entry) {
        Some((_, names)) => names.iter().map(|name| (*name).to_owned()).collect(),
        None => vec![entry],
    }
}

/// Whether an entry means something whatever MCP servers there are.
pub(crate) fn is_known(entry: &str) -> bool {
    let entry = normal(entry);
    entry.contains('*') || entry.contains("__") || names().any(|name| name == entry)
}

/// All names that an entry can be.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TOOLS.into_iter().chain(GROUPS.iter().map(|(group, _)| *group)).chain([PLUGINS])
}

/// As tools are called today.
fn normal(entry: &str) -> String {
    let entry = entry.trim().to_lowercase();
    match entry.as_str() {
        "bash" => "exec".to_owned(),
        "apply-patch" => "apply_patch".to_owned(),
        "bundle-mcp" => PLUGINS.to_owned(),
        _ => entry,
    }
}
