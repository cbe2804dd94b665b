//! `agents`: which model answers, and how.

use krabba_types::{AgentId, JsonObject, Thinking};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::forms::{ModelChoiceForm, ParamsForm, ThinkingForm};
use crate::{Entries, Privacy, Raw, ToolPolicy};

/// Agents and what they have in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Agents {
    /// What holds for every agent.
    pub defaults: AgentDefaults,
    /// The agents of both forms, `agents.list` and `agents.entries`, each id once.
    pub list: Vec<Agent>,
}

/// How `agents` is written.
#[derive(JsonSchema)]
pub(crate) struct AgentsForm {
    /// What holds for every agent.
    #[schemars(rename = "defaults")]
    _defaults: Option<AgentDefaults>,
    /// The agents, each with an `id`. The older form; joined with `entries`.
    #[schemars(rename = "list")]
    _list: Option<Vec<Agent>>,
    /// The agents by id. The newer form.
    #[schemars(rename = "entries")]
    _entries: Option<Entries<AgentEntry>>,
}

/// What holds for every agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["archiveAfterMinutes", "blockStreamingBreak", "blockStreamingChunk", "blockStreamingCoalesce", "blockStreamingDefault",
    "bootstrapMaxChars", "bootstrapTotalMaxChars", "cliBackends", "contextInjection", "contextPruning", "decisionModel", "elevatedDefault", "embeddedPi",
    "envelopeElapsed", "envelopeTimestamp", "envelopeTimezone", "experimental", "fastModeDefault", "heartbeat", "humanDelay", "imageGenerationModel",
    "imageMaxDimensionPx", "maxConcurrent", "mediaMaxMb", "mediaModels", "memorySearch", "modelSelectionScope", "pdfModel", "reasoningDefault", "repoRoot",
    "sandbox", "skills", "skipBootstrap", "subagents", "timeFormat", "typingIntervalSeconds", "typingMode", "userTimezone", "utilityModel",
    "verboseDefault"]))]
pub struct AgentDefaults {
    /// The model that answers, and those behind it: a reference, or `{primary, fallbacks}`. A reference is `provider/id` or an alias.
    #[schemars(with = "Option<ModelChoiceForm>", extend("x-default" = "the first configured local model that answers"))]
    pub model: Option<ModelChoice>,
    /// The model that looks at pictures when the chosen one cannot.
    #[schemars(with = "Option<ModelChoiceForm>")]
    pub image_model: Option<ModelChoice>,
    /// Aliases and parameters by reference. Without `modelPolicy.allow` these are also the models that may be chosen by hand.
    pub models: Entries<ModelOptions>,
    /// Which models may be chosen by hand.
    pub model_policy: Option<ModelPolicy>,
    /// Tokens that are used of any window; only narrows it.
    #[schemars(range(min = 1))]
    pub context_tokens: Option<u32>,
    /// How much to think: `off`, `low`, `medium` or `high`; `minimal`, `xhigh`, `max` and `on` are understood.
    #[serde(deserialize_with = "crate::forms::thinking")]
    #[schemars(with = "Option<ThinkingForm>", extend("x-default" = "left to the server"))]
    pub thinking_default: Option<Thinking>,
    /// Seconds for a whole answer. A provider's `clocks.turn` goes before it.
    #[schemars(extend("exclusiveMinimum" = 0, "x-default" = "none"))]
    pub timeout_seconds: Option<f64>,
    /// How far one turn may go.
    #[schemars(extend("x-krabba" = true))]
    pub limits: TurnLimits,
    /// Directory the agent works in.
    #[schemars(length(min = 1), extend("x-default" = "~/.krabba/workspace"))]
    pub workspace: Option<String>,
    /// How long conversations are shortened. Kept for the context layer.
    pub compaction: Raw,
    /// Sampling and pass-through for every model, beneath what is said about single ones.
    #[schemars(with = "ParamsForm")]
    pub params: JsonObject,
}

/// How far one turn may go. At a limit the model answers with what it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TurnLimits {
    /// Answers of a model that use tools.
    #[schemars(range(min = 1), extend("x-krabba" = true, "x-default" = "50"))]
    pub steps: Option<u32>,
    /// Tokens that models write in all steps together.
    #[schemars(range(min = 1), extend("x-krabba" = true, "x-default" = "none"))]
    pub output_tokens: Option<u64>,
    /// Seconds for everything, without the time in which you are asked something. A tool or an answer that is at work then is ended;
    /// after a tool, the answer gets a tenth of this time and at least 30 seconds more.
    #[schemars(range(min = 1), extend("x-krabba" = true, "x-default" = "none"))]
    pub seconds: Option<u64>,
}

/// A model and those behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelChoice {
    /// The reference that is asked first.
    pub primary: Option<String>,
    /// Those asked after it, in order. `None` when nothing was said, which for an agent means those of the defaults; an
    /// empty list means none.
    pub fallbacks: Option<Vec<String>>,
}

/// What is known about one reference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-entry" = true, "x-ignored" = ["streaming", "agentRuntime", "fastMode"]))]
pub struct ModelOptions {
    /// Another name for it, usable wherever a model can be named. Case does not count.
    #[schemars(length(min = 1))]
    pub alias: Option<String>,
    /// Sampling and pass-through, over those of the model.
    #[schemars(with = "ParamsForm")]
    pub params: JsonObject,
}

/// Which models may be chosen by hand. Configured fallbacks are never affected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelPolicy {
    /// References, aliases, `provider/*` or `provider/prefix/*`. An empty list allows all.
    pub allow: Option<Vec<String>>,
}

/// One agent. What it does not say comes from the defaults.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-entry" = true, "x-ignored" = ["agentDir", "agentRuntime", "embeddedPi", "fastModeDefault", "groupChat", "heartbeat", "humanDelay", "identity", "memorySearch",
    "reasoningDefault", "runtime", "sandbox", "skills", "subagents", "verboseDefault"]))]
pub struct Agent {
    /// Its id.
    #[schemars(with = "String", length(min = 1))]
    pub id: AgentId,
    /// What it is and does.
    #[serde(flatten)]
    pub options: AgentOptions,
}

/// An agent under `agents.entries`, whose id is its key.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", extend("x-entry" = true, "x-ignored" = ["id", "agentDir", "agentRuntime", "embeddedPi", "fastModeDefault", "groupChat", "heartbeat", "humanDelay",
    "identity", "memorySearch", "reasoningDefault", "runtime", "sandbox", "skills", "subagents", "verboseDefault"]))]
pub(crate) struct AgentEntry {
    #[schemars(flatten)]
    _options: AgentOptions,
}

/// What an agent is and does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentOptions {
    /// A name for people.
    pub name: Option<String>,
    /// Whether it answers when none is named.
    #[serde(rename = "default")]
    #[schemars(extend("x-default" = "the first one"))]
    pub is_default: Option<bool>,
    /// The model that answers, and those behind it. `fallbacks: []` means none at all.
    #[schemars(with = "Option<ModelChoiceForm>")]
    pub model: Option<ModelChoice>,
    /// Aliases and parameters by reference, over those of the defaults.
    pub models: Entries<ModelOptions>,
    /// Which models may be chosen by hand; replaces that of the defaults.
    pub model_policy: Option<ModelPolicy>,
    /// Tokens that it uses of any window; only narrows it. Replaces that of the defaults.
    #[schemars(range(min = 1))]
    pub context_tokens: Option<u32>,
    /// Sampling and pass-through for every model that it uses, over those of the model and of `agents.defaults.models`.
    #[schemars(with = "ParamsForm")]
    pub params: JsonObject,
    /// How much to think.
    #[serde(deserialize_with = "crate::forms::thinking")]
    #[schemars(with = "Option<ThinkingForm>")]
    pub thinking_default: Option<Thinking>,
    /// How far one of its turns may go, each over that of the defaults.
    #[schemars(extend("x-krabba" = true))]
    pub limits: TurnLimits,
    /// Directory it works in.
    #[schemars(length(min = 1))]
    pub workspace: Option<String>,
    /// Which tools it has; beside `profile`, which replaces that of `tools`, it only narrows them.
    pub tools: ToolPolicy,
    /// Where its conversations may go; can only be narrower than the global policy.
    #[schemars(extend("x-krabba" = true))]
    pub privacy: Option<Privacy>,
}
