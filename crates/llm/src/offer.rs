//! How the tools of a request are offered: to the server, which reads the calls; in words; or in words and with a form that the server
//! holds the model to, so that it cannot write an invalid call.
//!
//! llama.cpp takes a grammar, which leaves the model free to answer in plain words; a schema it would turn into one itself, and not
//! hold numbers with a part behind the point to their limits. The others take a schema, under which an answer in words is a text in an
//! object. What a server does not hold to is read all the same: as calls in the text. Which do is measured and not known: LM Studio holds
//! to a schema in Chat Completions, and up to 0.4.23 was seen to ignore one in Responses.

use std::borrow::Cow;

use krabba_markup::{Envelope, Telling, call_grammar, call_schema, tell};
use krabba_types::{CallChannel, Dialect, ModelRequest, ServerKind, Thinking, ToolAbility};
use serde_json::{Value, json};

use crate::Target;

/// A request as it goes out, and how its answer is read.
pub(crate) struct Offer<'a> {
    pub(crate) request: Cow<'a, ModelRequest>,
    /// How calls in the text came about.
    pub(crate) channel: CallChannel,
    /// What words come in, if in anything.
    pub(crate) envelope: Option<Envelope>,
}

impl<'a> Offer<'a> {
    pub(crate) fn of(request: &'a ModelRequest, target: &Target) -> Self {
        let hold = Hold::of(target.dialect, target.shape.server);
        let (telling, hold) = match (request.calling.mode, hold) {
            (ToolAbility::Native, _) => return Self { request: Cow::Borrowed(request), channel: CallChannel::Text, envelope: None },
            (ToolAbility::None, _) => (Telling::Aside, None),
            (ToolAbility::Text | ToolAbility::Constrained, _) if request.tools.is_empty() => (Telling::Aside, None),
            (ToolAbility::Text, _) | (ToolAbility::Constrained, None) => (Telling::Marked, None),
            (ToolAbility::Constrained, Some(Hold::Grammar)) => (Telling::Marked, hold),
            (ToolAbility::Constrained, Some(Hold::ResponseFormat | Hold::TextFormat | Hold::Format)) => (Telling::Object, hold),
        };
        let mut sent = tell(request.clone(), telling, target.shape.family);
        let mut channel = CallChannel::Text;
        if let Some(hold) = hold {
            let (field, value) = hold.field(request);
            sent.params.extra_body.entry(field).or_insert(value);
            // A model that is held to a form from its first character cannot think before.
            sent.thinking = Thinking::Off;
            channel = CallChannel::Constrained;
        }
        let envelope = (telling == Telling::Object).then(Envelope::default);
        Self { request: Cow::Owned(sent), channel, envelope }
    }
}

/// What a server takes to hold a model to a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// llama.cpp: `grammar`, in Responses too, where it ignores `text.format`.
    Grammar,
    /// OpenAI's `response_format`, which LM Studio, Ollama's `/v1`, vLLM and SGLang take in every release. vLLM's own fields were renamed,
    /// and the old ones are ignored without a word.
    ResponseFormat,
    /// OpenAI's `text.format` of Responses.
    TextFormat,
    /// Ollama: `format`.
    Format,
}

impl Hold {
    fn of(dialect: Dialect, server: ServerKind) -> Option<Self> {
        match (dialect, server) {
            (Dialect::OpenAiCompletions | Dialect::OpenAiResponses, ServerKind::LlamaCpp) => Some(Self::Grammar),
            (Dialect::OpenAiCompletions, _) => Some(Self::ResponseFormat),
            (Dialect::Ollama, _) => Some(Self::Format),
            (Dialect::OpenAiResponses, _) => Some(Self::TextFormat),
            (Dialect::AnthropicMessages, _) => None,
        }
    }

    fn field(self, request: &ModelRequest) -> (&'static str, Value) {
        let schema = || Value::Object(call_schema(request));
        match self {
            Self::Grammar => ("grammar", call_grammar(request).into()),
            Self::ResponseFormat => {
                let schema = json!({ "name": "step", "strict": true, "schema": schema() });
                ("response_format", json!({ "type": "json_schema", "json_schema": schema }))
            }
            Self::TextFormat => {
                let format = json!({ "type": "json_schema", "name": "step", "strict": true, "schema": schema() });
                ("text", json!({ "format": format }))
            }
            Self::Format => ("format", schema()),
        }
    }
}
