//! The encoder: a request in, bytes out.

use krabba_types::{Dialect, ModelRequest};

use crate::{Shape, anthropic, chat, history, ollama, responses};

/// A request as it goes out. The key is not in it; see [`key_header`](crate::key_header).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// What follows the base URL; for display. [`endpoint_url`](crate::endpoint_url) makes the full URL.
    pub path: &'static str,
    /// Headers of this dialect beyond `content-type: application/json`, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Vec<u8>,
    /// How the answer is framed if it is a stream.
    pub framing: WireFraming,
}

/// How a stream is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireFraming {
    /// Server-sent events.
    Sse,
    /// One JSON object per line.
    Ndjson,
}

impl WireFraming {
    /// The framing of a dialect's streams.
    pub fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenAiResponses | Dialect::OpenAiCompletions | Dialect::AnthropicMessages => Self::Sse,
            Dialect::Ollama => Self::Ndjson,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

/// Writes `request` for the route that `shape` describes.
///
/// The user's `extra_body` is merged in last, and no field of `shape.dropped` goes out; neither can touch the model,
/// the conversation or the choice between stream and whole reply, and a refusal does not take the routing object away.
pub fn encode(dialect: Dialect, request: &ModelRequest, shape: &Shape) -> Encoded {
    let history = history::read(request, shape);
    let (path, mut body) = match dialect {
        Dialect::OpenAiResponses => ("/responses", responses::encode(request, &history, shape)),
        Dialect::OpenAiCompletions => ("/chat/completions", chat::encode(request, &history, shape)),
        Dialect::AnthropicMessages => ("/messages", anthropic::encode(request, &history, shape)),
        Dialect::Ollama => ("/api/chat", ollama::encode(request, &history, shape)),
    };
    if dialect != Dialect::Ollama {
        // Whoever configured it wants it at this address, whatever the address looks like: it may be a region's, or a
        // gateway's in front of OpenRouter. Without it the conversation could go to hosts that its owner ruled out.
        body.put_object("provider", shape.provider_routing.clone().unwrap_or_default());
    }
    body.merge(&request.params.extra_body);
    body.drop_fields(&shape.dropped);
    let framing = WireFraming::of(dialect);
    let accept = if shape.stream { framing.media_type() } else { "application/json" };
    let mut headers = vec![("accept", accept.to_owned())];
    if dialect == Dialect::AnthropicMessages {
        headers.push(("anthropic-version", "2023-06-01".to_owned()));
    }
    Encoded { path, headers, body: body.into_bytes(), framing }
}
