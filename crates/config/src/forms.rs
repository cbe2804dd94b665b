//! The forms that values may have where their Rust types alone do not say it: for the schema, the checks and the reference.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use krabba_types::{Dialect, Thinking};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
use serde_json::json;

use crate::{Credential, ModelChoice};

macro_rules! form {
    ($(#[$doc:meta])* $name:ident, $schema:expr) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

form!(
    /// One of the wire formats.
    DialectForm,
    json_schema!({ "type": "string", "enum": Dialect::ALL.map(Dialect::name) })
);
form!(
    /// `device`, `lan`, `region:<code>`, `hosted`.
    ResidencyForm,
    json_schema!({ "type": "string", "pattern": "^(device|lan|hosted|region:[A-Za-z0-9-]+)$", "x-form": "residency" })
);
form!(
    /// A thinking level.
    ThinkingForm,
    json_schema!({ "type": "string", "enum": ["off", "minimal", "low", "medium", "high", "xhigh", "max", "on", "auto", "default", "none", "adaptive"] })
);
form!(
    /// A duration or seconds.
    KeepAliveForm,
    json_schema!({ "anyOf": [{ "type": "string", "minLength": 1 }, { "type": "integer" }] })
);
form!(
    /// A reference, or `{primary, fallbacks}`.
    ModelChoiceForm,
    json_schema!({
        "anyOf": [
            { "type": "string", "minLength": 1 },
            {
                "type": "object",
                "properties": {
                    "primary": { "type": "string", "minLength": 1, "description": "The reference that is asked first." },
                    "fallbacks": {
                        "type": "array",
                        "items": { "type": "string", "minLength": 1 },
                        "description": "The references asked after it, in order.",
                    },
                },
                "x-ignored": ["timeoutMs"],
            },
        ],
    })
);
form!(
    /// Sampling parameters. Open: other keys go to the server.
    ParamsForm,
    json_schema!({
        "type": "object",
        "additionalProperties": true,
        "properties": {
            "temperature": { "type": "number", "minimum": 0, "description": "0 and up; low is sober." },
            "top_p": { "type": "number", "minimum": 0, "maximum": 1, "description": "0 to 1. Also `topP`." },
            "top_k": { "type": "integer", "minimum": 0, "description": "Number of candidates. Also `topK`." },
            "min_p": { "type": "number", "minimum": 0, "maximum": 1, "description": "0 to 1. Also `minP`." },
            "seed": { "type": "integer", "description": "For repeatable answers." },
            "stop": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }], "description": "Texts that end the answer." },
            "maxTokens": { "type": "integer", "minimum": 1, "description": "The longest answer in tokens." },
            "chat_template_kwargs": { "type": "object", "description": "Variables of the chat template." },
            "extra_body": { "type": "object", "description": "Merged into the request body, last." },
        },
    })
);

fn flag(meaning: &str) -> serde_json::Value {
    json!({ "type": "boolean", "description": meaning })
}

form!(
    /// Peculiarities of a server, as OpenClaw names them in its two generations.
    CompatForm,
    json_schema!({
        "type": "object",
        "properties": {
            "supportsStore": flag("Takes `store`."),
            "supportsDeveloperRole": flag("Takes the `developer` role."),
            "supportsReasoningEffort": flag("Takes `reasoning_effort`."),
            "supportsUsageInStreaming": flag("Reports usage in a stream."),
            "supportsTools": flag("Takes tools."),
            "toolCalls": {
                "type": "string",
                "enum": ["native", "text", "constrained", "none"],
                "description": "How the model calls tools: the server reads its calls, it writes them as text, it writes them and the server holds it to their form, or not at all. Measured by `krabba models scan --probe` where it is not set.",
            },
            "supportsStrictMode": flag("Takes `strict` on tools."),
            "supportsTemperature": flag("Takes `temperature`."),
            "supportsInstructions": flag("Takes `instructions`."),
            "supportsPromptCacheKey": flag("Takes `prompt_cache_key`."),
            "requiresToolResultName": flag("Wants the tool's name with a result."),
            "requiresAssistantAfterToolResult": flag("Wants an assistant message after tool results."),
            "requiresThinkingAsText": flag("Wants reasoning as text."),
            "requiresMistralToolIds": flag("Wants call ids of nine letters and digits."),
            "requiresStringContent": flag("Wants content as one text."),
            "requiresReasoningContentOnAssistantMessages": flag("Wants `reasoning_content` on assistant messages."),
            "strictMessageKeys": flag("Refuses unknown keys on messages."),
            "maxTokensField": { "type": "string", "enum": ["max_completion_tokens", "max_tokens"], "description": "Name of the output budget." },
            "thinkingFormat": {
                "type": "string",
                "enum": ["openai", "zai", "qwen", "qwen-chat-template", "together", "deepseek", "openrouter"],
                "description": "How thinking is asked for.",
            },
            "supportedReasoningEfforts": { "type": "array", "items": { "type": "string" }, "description": "Values of `reasoning_effort` it takes." },
            "reasoningEffortMap": { "type": "object", "description": "Other words for them." },
            "toolSchemaProfile": { "type": "string", "description": "Which subset of JSON Schema tools may use." },
            "unsupportedToolSchemaKeywords": { "type": "array", "items": { "type": "string" }, "description": "JSON Schema keywords to leave out." },
            "toolCallArgumentsEncoding": { "type": "string", "description": "How call arguments are written." },
            "visibleReasoningDetailTypes": { "type": "array", "items": { "type": "string" }, "description": "Kinds of reasoning details with text in them." },
        },
    })
);

/// A table whose values are all treated as secret.
pub(crate) struct Headers;

impl JsonSchema for Headers {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Headers".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, Credential>::json_schema(generator)
    }
}

/// One value, or a list of them.
pub(crate) struct OneOrMany<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// Reads one value or a list of them.
pub(crate) fn one_or_many<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<T>>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?;
    match value {
        None => Ok(None),
        Some(serde_json::Value::Array(items)) => items.into_iter().map(serde_json::from_value).collect::<Result<_, _>>().map(Some),
        Some(one) => serde_json::from_value(one).map(|one| Some(vec![one])),
    }
    .map_err(D::Error::custom)
}

/// Reads a thinking level, OpenClaw's words included. `adaptive` leaves it to the server.
pub(crate) fn thinking<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Thinking>, D::Error> {
    match Option::<String>::deserialize(deserializer)?.as_deref() {
        None => Ok(None),
        Some("adaptive") => Ok(Some(Thinking::Unspecified)),
        Some(text) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

impl<'de> Deserialize<'de> for ModelChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Form {
            Reference(String),
            Object { primary: Option<String>, fallbacks: Option<Vec<String>> },
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Reference(primary) => Self { primary: Some(primary), fallbacks: None },
            Form::Object { primary, fallbacks } => Self { primary, fallbacks },
        })
    }
}
