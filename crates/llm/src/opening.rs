//! From the head of an answer to its frames: is this a stream at all?
//!
//! The status comes first: what is not 2xx is an error, whatever its body. Then the content type: JSON in place of a stream is
//! a whole answer or an error, a web page is neither. Some servers and many proxies send no type or a wrong one
//! (`text/plain` for SSE); then the first bytes of the body decide.

use krabba_dialect::{WireFraming, parse_error};
use krabba_net::{Bytes, Frames, Framing, HttpResponse};
use krabba_types::{Fault, Phase};

use crate::answer::MAX_ANSWER_BYTES;
use crate::{Site, Trouble, classify};

/// As much of an error body as is read.
const ERROR_BYTES: usize = 64 * 1024;

/// What stands behind the head.
pub(crate) enum Opened {
    /// A stream of frames.
    Frames(Frames),
    /// A whole reply, to be read by the dialect.
    Whole(Bytes),
    /// No answer.
    Failed(Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Framed(Framing),
    Json,
    Page,
    Unclear,
}

/// Decides what `response` holds; reads bodies that are not streams.
pub(crate) async fn open(mut response: HttpResponse, wanted: WireFraming, site: &Site) -> Opened {
    if !response.is_success() {
        return Opened::Failed(refusal(response, site).await);
    }
    let mut body = of_type(response.content_type(), wanted);
    if body == Body::Unclear {
        body = match response.peek().await {
            Ok(first) => of_bytes(&first, wanted),
            Err(error) => return Opened::Failed(classify(&Trouble::Network(&error), Phase::FirstToken, site)),
        };
    }
    match body {
        Body::Framed(framing) => Opened::Frames(response.frames(framing)),
        Body::Page | Body::Unclear => {
            let text = response.beginning(ERROR_BYTES).await;
            Opened::Failed(classify(&Trouble::NotADialect { text: &String::from_utf8_lossy(&text) }, Phase::FirstToken, site))
        }
        Body::Json => match response.bytes(MAX_ANSWER_BYTES).await {
            Ok(whole) => Opened::Whole(whole),
            Err(error) => Opened::Failed(classify(&Trouble::Network(&error), Phase::FirstToken, site)),
        },
    }
}

async fn refusal(response: HttpResponse, site: &Site) -> Fault {
    let status = response.status;
    let retry_after = response.retry_after();
    let location = response.header("location").map(str::to_owned);
    let body = response.beginning(ERROR_BYTES).await;
    // Nothing of a proxy's web page is worth quoting.
    let error = parse_error(&body).unwrap_or_default();
    let trouble = match &location {
        Some(location) if (300..400).contains(&status) => Trouble::Redirect { status, location },
        Some(_) | None => Trouble::Status { status, error: &error, retry_after },
    };
    classify(&trouble, Phase::Headers, site)
}

fn of_type(content_type: Option<&str>, wanted: WireFraming) -> Body {
    let Some(content_type) = content_type.map(str::to_ascii_lowercase) else { return Body::Unclear };
    match (content_type.as_str(), wanted) {
        ("text/event-stream", _) => Body::Framed(Framing::Sse),
        ("application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines", _) => {
            Body::Framed(Framing::Ndjson)
        }
        // Proxies rename Ollama's lines to plain JSON; one line or many, they are read as lines.
        ("application/json", WireFraming::Ndjson) => Body::Framed(Framing::Ndjson),
        ("application/json", WireFraming::Sse) => Body::Json,
        ("text/html" | "application/xhtml+xml", _) => Body::Page,
        (other, WireFraming::Sse) if other.ends_with("+json") => Body::Json,
        _ => Body::Unclear,
    }
}

fn of_bytes(first: &[u8], wanted: WireFraming) -> Body {
    let text = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first).trim_ascii_start();
    let sse_fields: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];
    // The first packet may end anywhere, even inside the first field's name.
    let sse = |field: &[u8]| !text.is_empty() && (text.starts_with(field) || field.starts_with(text));
    match wanted {
        _ if is_page(text) => Body::Page,
        // Nothing came, or blank lines only: an empty stream, which has its own ending.
        WireFraming::Sse if text.is_empty() => Body::Framed(Framing::Sse),
        _ if sse_fields.iter().any(|field| sse(field)) => Body::Framed(Framing::Sse),
        WireFraming::Ndjson if text.is_empty() || text.starts_with(b"{") => Body::Framed(Framing::Ndjson),
        WireFraming::Sse if text.starts_with(b"{") => Body::Json,
        WireFraming::Sse | WireFraming::Ndjson => Body::Unclear,
    }
}

fn is_page(text: &[u8]) -> bool {
    text.starts_with(b"<")
}
