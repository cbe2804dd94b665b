//! The root of the configuration.

use krabba_types::Residency;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Agents, Auth, Entries, Mcp, Messages, Models, Raw, Tools};

/// The configuration as it was given: checked for form, resolved, not yet interpreted. Each room gets its own settings
/// out of it in the binary. Entries with errors are not in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["$schema", "acp", "approvals", "audio", "bindings", "broadcast", "browser", "canvasHost", "cliBackends", "commands",
    "crestodian", "cron", "diagnostics", "discovery", "env", "hooks", "logging", "media", "memory", "meta", "nodeHost", "permissions", "plugins",
    "routing", "secrets", "skills", "surfaces", "talk", "ui", "update", "web", "whatsapp", "telegram", "discord", "slack", "signal", "imessage",
    "wizard"]))]
pub struct Config {
    /// Model servers and their models.
    pub models: Models,
    /// Agents and what they have in common.
    #[schemars(with = "crate::agents::AgentsForm")]
    pub agents: Agents,
    /// Several keys for one provider.
    pub auth: Auth,
    /// Where conversations may go.
    #[schemars(extend("x-krabba" = true))]
    pub privacy: Privacy,
    /// People by their names, each with one address or a list of them (mail, number, chat id), as tools take them. What goes to one of
    /// them needs no question; in a conversation that others had a say in, only where you named them in it. Models do not see the book.
    #[schemars(extend("x-krabba" = true))]
    pub address_book: Entries<Addresses>,
    /// Servers whose tools are used.
    pub mcp: Mcp,
    /// How conversations are kept apart and ended. Kept for the session layer.
    pub session: Raw,
    /// How messages are taken.
    pub messages: Messages,
    /// The daemon's front door. Kept for the gateway.
    pub gateway: Raw,
    /// Which tools there are, and how they work.
    pub tools: Tools,
    /// Chat accounts. Kept for the channels.
    pub channels: Raw,
}

/// What a person is reached by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Addresses(
    #[serde(deserialize_with = "crate::forms::one_or_many")]
    #[schemars(with = "crate::forms::OneOrMany<String>")]
    pub Option<Vec<String>>,
);

/// Where conversations may go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Privacy {
    /// The residencies that may see a conversation: one, or a list, of `device`, `lan`, `region:<code>` and `hosted`. An endpoint
    /// elsewhere is never asked, not even as a fallback.
    #[serde(deserialize_with = "crate::forms::one_or_many")]
    #[schemars(with = "crate::forms::OneOrMany<crate::forms::ResidencyForm>", extend("x-krabba" = true, "x-default" = "everywhere"))]
    pub residency: Option<Vec<Residency>>,
}
