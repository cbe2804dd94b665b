//! `models`: who serves which models.

use std::collections::BTreeMap;

use krabba_types::{Dialect, JsonObject, ModelId, ProviderId, Residency};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::forms::{CompatForm, DialectForm, Headers, KeepAliveForm, ParamsForm, ResidencyForm};
use crate::{Credential, Entries};

/// Model servers and their models.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["bedrockDiscovery", "pricing"]))]
pub struct Models {
    /// `merge`: the built-in hosted providers stay usable beside these. `replace`: these alone exist.
    #[schemars(extend("x-default" = "merge"))]
    pub mode: Mode,
    /// Model servers by name. The order counts: without a chosen model, the first local one that answers is taken.
    pub providers: Entries<Provider>,
}

/// What becomes of the built-in providers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They stay.
    #[default]
    Merge,
    /// They go.
    Replace,
}

/// One model server.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-entry" = true, "x-ignored" = ["agentRuntime", "baseURL", "injectNumCtxForOpenAICompat"]))]
pub struct Provider {
    /// The name, normalised; references start with it.
    #[serde(skip)]
    pub id: ProviderId,
    /// How to reach it.
    #[serde(flatten)]
    pub server: Server,
    /// What holds for its models unless they say otherwise.
    #[serde(flatten)]
    pub defaults: ModelDefaults,
    /// Where it stands and how it is treated.
    #[serde(flatten)]
    pub stand: Stand,
    /// A command that starts the server when a model of it is needed.
    pub local_service: Option<LocalService>,
    /// The models. May be empty: what the server lists is used then.
    #[serde(default)]
    pub models: Vec<Model>,
}

/// How a model server is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Server {
    /// Address of the API. With or without `/v1`; what answers is found out. Needed unless the provider is a built-in one.
    #[schemars(length(min = 1))]
    pub base_url: Option<String>,
    /// The key: a text, `${VARIABLE}`, or a secret reference `{source, provider, id}`. Local servers need none.
    pub api_key: Option<Credential>,
    /// How the key is used. `api-key` and `token` are sent as keys; `oauth` and `aws-sdk` are not supported yet.
    pub auth: Option<AuthKind>,
    /// The wire format of its models.
    #[schemars(with = "Option<DialectForm>", extend("x-default" = "that of the built-in provider, ollama for one of that name, else openai-completions"))]
    pub api: Option<Dialect>,
    /// Extra request headers. A value that is the name of a set variable stands for its content. Commands (`!…`) are never run.
    #[schemars(with = "Headers")]
    pub headers: BTreeMap<String, Credential>,
    /// Also send the key as `Authorization: Bearer`.
    #[schemars(extend("x-default" = "false"))]
    pub auth_header: Option<bool>,
    /// Request details of newer OpenClaw versions.
    pub request: Option<RequestOptions>,
    /// Seconds of silence after which a call is given up, before the first token and between tokens. `clocks` sets each limit on
    /// its own.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub timeout_seconds: Option<f64>,
}

/// How a provider's key is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuthKind {
    /// A key.
    ApiKey,
    /// A token.
    Token,
    /// A token from a login.
    Oauth,
    /// AWS credentials.
    AwsSdk,
}

/// Request details of newer OpenClaw versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["auth", "proxy", "tls", "allowPrivateNetwork"]))]
pub struct RequestOptions {
    /// Extra request headers, over those of the provider.
    #[schemars(with = "Headers")]
    pub headers: BTreeMap<String, Credential>,
}

/// What holds for the models of a provider unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelDefaults {
    /// Tokens of prompt and answer together.
    #[schemars(range(min = 1))]
    pub context_window: Option<u32>,
    /// Tokens that are used of the window; only narrows it.
    #[schemars(range(min = 1))]
    pub context_tokens: Option<u32>,
    /// The longest answer in tokens.
    #[schemars(range(min = 1))]
    pub max_tokens: Option<u32>,
    /// Sampling and pass-through.
    #[schemars(with = "ParamsForm")]
    pub params: JsonObject,
}

/// Where a provider stands and how it is treated: krabba's own keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Stand {
    /// How far a conversation travels to it: `device`, `lan`, `region:<code>` or `hosted`.
    #[schemars(with = "Option<ResidencyForm>", extend("x-krabba" = true, "x-default" = "inferred from the address, carefully"))]
    pub residency: Option<Residency>,
    /// The region it is in, such as `eu` or `us`: short for `residency: "region:<code>"`.
    #[schemars(length(min = 1), extend("x-krabba" = true))]
    pub region: Option<String>,
    /// Ask the server for its models and their windows, without waking any.
    #[schemars(extend("x-krabba" = true, "x-default" = "true"))]
    pub probe: Option<bool>,
    /// Requests at a time.
    #[schemars(range(min = 1), extend("x-krabba" = true, "x-default" = "what the server says, else by kind of server"))]
    pub slots: Option<u32>,
    /// Time limits.
    #[schemars(extend("x-krabba" = true))]
    pub clocks: Option<Clocks>,
    /// Servers with the same box share one machine and one queue.
    #[serde(rename = "box")]
    #[schemars(length(min = 1), extend("x-krabba" = true, "x-default" = "scheme, host and port of the address"))]
    pub box_name: Option<String>,
    /// How long Ollama keeps a model loaded: `10m`, seconds, or -1 for ever.
    #[schemars(with = "Option<KeepAliveForm>", extend("x-krabba" = true))]
    pub keep_alive: Option<KeepAlive>,
    /// How long LM Studio keeps a model loaded without use, in seconds.
    #[schemars(range(min = 1), extend("x-krabba" = true))]
    pub ttl: Option<u32>,
    /// OpenRouter's routing object (`only`, `order`, `allow_fallbacks`, `data_collection`, `zdr`, `quantizations`), sent as it is.
    #[schemars(with = "Option<crate::Raw>", extend("x-krabba" = true))]
    pub routing: Option<JsonObject>,
}

impl Stand {
    /// The residency that the user declared, as `residency` or as `region`.
    pub fn declared_residency(&self) -> Option<Residency> {
        let region = || self.region.as_ref().map(|code| Residency::Region(code.to_ascii_lowercase()));
        self.residency.clone().or_else(region)
    }
}

/// Ollama's `keep_alive`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeepAlive {
    /// Seconds; negative is for ever.
    Seconds(i64),
    /// A duration such as `10m`.
    Text(String),
}

/// Time limits in seconds, each on its own. Unset ones keep their defaults; `krabba explain timeouts` prints all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Clocks {
    /// Until the connection stands.
    #[schemars(extend("exclusiveMinimum" = 0, "x-krabba" = true, "x-default" = "2 on this machine, 5 in the network, 10 hosted"))]
    pub connect: Option<f64>,
    /// Until the response headers are here.
    #[schemars(extend("exclusiveMinimum" = 0, "x-krabba" = true, "x-default" = "as firstToken"))]
    pub headers: Option<f64>,
    /// Until the first token; loading and reading a long prompt are given their own time.
    #[schemars(extend("exclusiveMinimum" = 0, "x-krabba" = true, "x-default" = "300 local, 60 hosted"))]
    pub first_token: Option<f64>,
    /// Between two tokens.
    #[schemars(extend("exclusiveMinimum" = 0, "x-krabba" = true, "x-default" = "60 local, 30 hosted"))]
    pub gap: Option<f64>,
    /// Loading without visible progress.
    #[schemars(extend("exclusiveMinimum" = 0, "x-krabba" = true, "x-default" = "300 local, 60 hosted"))]
    pub load: Option<f64>,
    /// For a whole answer.
    #[schemars(extend("exclusiveMinimum" = 0, "x-krabba" = true, "x-default" = "agents.defaults.timeoutSeconds, else none"))]
    pub turn: Option<f64>,
}

/// A command that starts a model server when it is needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalService {
    /// Absolute path of the program.
    #[schemars(length(min = 1))]
    pub command: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Directory it starts in.
    pub cwd: Option<String>,
    /// Its environment, over our own.
    #[serde(default)]
    #[schemars(with = "Headers")]
    pub env: BTreeMap<String, Credential>,
    /// Address that answers when it is ready.
    #[schemars(extend("x-default" = "baseUrl + /models"))]
    pub health_url: Option<String>,
    /// Milliseconds until it must be ready.
    #[schemars(range(min = 1), extend("x-default" = "120000"))]
    pub ready_timeout_ms: Option<u64>,
    /// Milliseconds without use after which it is stopped; 0 keeps it.
    #[schemars(extend("x-default" = "0"))]
    pub idle_stop_ms: Option<u64>,
}

/// One model of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-entry" = true, "x-ignored" = ["agentRuntime", "metadataSource", "mediaInput", "contextWindowSource"]))]
pub struct Model {
    /// The id exactly as the server names it; goes out byte for byte.
    #[schemars(with = "String", length(min = 1))]
    pub id: ModelId,
    /// A name for people.
    #[schemars(extend("x-default" = "the id"))]
    pub name: Option<String>,
    /// The wire format.
    #[schemars(with = "Option<DialectForm>", extend("x-default" = "that of the provider"))]
    pub api: Option<Dialect>,
    /// Whether the model is asked to think. What it thinks unasked is kept apart all the same.
    #[schemars(extend("x-default" = "what the server says"))]
    pub reasoning: Option<bool>,
    /// What it understands: `text`, `image`.
    #[schemars(extend("x-default" = "what the server says, else text"))]
    pub input: Option<Vec<Medium>>,
    /// US dollars per million tokens.
    pub cost: Option<Cost>,
    /// Tokens of prompt and answer together. The smaller of this and the server's own figure counts.
    #[schemars(range(min = 1))]
    pub context_window: Option<u32>,
    /// Tokens that are used of the window; only narrows it.
    #[schemars(range(min = 1))]
    pub context_tokens: Option<u32>,
    /// The longest answer in tokens.
    #[schemars(range(min = 1))]
    pub max_tokens: Option<u32>,
    /// Extra request headers, over those of the provider.
    #[serde(default)]
    #[schemars(with = "Headers")]
    pub headers: BTreeMap<String, Credential>,
    /// Peculiarities of the server or model, as OpenClaw names them.
    #[serde(default)]
    #[schemars(with = "CompatForm")]
    pub compat: JsonObject,
    /// Sampling and pass-through, over those of the provider.
    #[serde(default)]
    #[schemars(with = "ParamsForm")]
    pub params: JsonObject,
}

/// What a model can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Medium {
    /// Text.
    Text,
    /// Pictures.
    Image,
    /// Sound; accepted, not used.
    Audio,
    /// Moving pictures; accepted, not used.
    Video,
}

/// US dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["tieredPricing"]))]
pub struct Cost {
    /// Prompt.
    #[schemars(range(min = 0))]
    pub input: Option<f64>,
    /// Answer.
    #[schemars(range(min = 0))]
    pub output: Option<f64>,
    /// Prompt from the cache.
    #[schemars(range(min = 0))]
    pub cache_read: Option<f64>,
    /// Prompt into the cache.
    #[schemars(range(min = 0))]
    pub cache_write: Option<f64>,
}
