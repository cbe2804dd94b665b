//! What a call brought, for a model.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use krabba_tool::Outcome;
use krabba_types::{Image, Label};
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};

use crate::McpError;

/// The most pictures of one result.
const PICTURES: usize = 8;

/// What a model is told of what a server said about its own failure, in bytes.
const SAID: usize = 1000;

/// Pictures that models take.
const PICTURE_TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/webp", "image/gif"];

/// Where content of this server comes from.
pub(crate) fn label(server: &str) -> Label {
    Label::untrusted(format!("MCP server {server}"))
}

/// A result in at most about `budget` bytes.
pub(crate) fn of(result: CallToolResult, server: &str, budget: usize) -> Outcome {
    let mut texts = Vec::new();
    let mut images = Vec::new();
    for block in result.content {
        match block {
            ContentBlock::Text(content) => texts.push(content.text),
            ContentBlock::Image(content) => match picture(&content.mime_type, &content.data) {
                Some(picture) if images.len() < PICTURES => images.push(picture),
                Some(_) | None => texts.push(format!("[a picture ({}) that is not shown]", content.mime_type)),
            },
            ContentBlock::Audio(content) => texts.push(format!("[a sound ({}) that is not passed on]", content.mime_type)),
            ContentBlock::Resource(content) => texts.push(match content.resource {
                ResourceContents::TextResourceContents { uri, text, .. } => format!("{uri}:\n{text}"),
                ResourceContents::BlobResourceContents { uri, .. } => format!("[{uri}: data that is no text]"),
                _ => "[a resource of an unknown kind]".to_owned(),
            }),
            ContentBlock::ResourceLink(link) => texts.push(format!("{}: {}", link.name, link.uri)),
            _ => texts.push("[content of an unknown kind]".to_owned()),
        }
    }
    if texts.is_empty() && images.is_empty() {
        texts.extend(result.structured_content.as_ref().map(ToString::to_string));
    }
    if texts.is_empty() && !images.is_empty() {
        texts.push(format!("[{} {}]", images.len(), if images.len() == 1 { "picture" } else { "pictures" }));
    }
    Outcome {
        is_error: result.is_error == Some(true),
        structured: result.structured_content,
        images,
        ..Outcome::done(cut(&texts.join("\n"), budget), label(server))
    }
}

/// A failure. What the server said is shown to the person, and told to the model where it refused the call.
pub(crate) fn failed(error: &McpError, server: &str) -> Outcome {
    // That it went wrong, and how, is the server's to decide.
    let outcome = Outcome { label: label(server), ..Outcome::failed(error.to_string()) };
    let said = error.said().trim();
    if said.is_empty() {
        return outcome;
    }
    let outcome = outcome.showing(format!("{error}\n{said}"));
    if let McpError::Refused { .. } = error {
        return Outcome { text: format!("{error}: {}", cut(said, SAID)), ..outcome };
    }
    outcome
}

fn picture(media_type: &str, base64: &str) -> Option<Image> {
    let base64: String = base64.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    let known = PICTURE_TYPES.contains(&media_type) && STANDARD.decode(&base64).is_ok();
    known.then(|| Image { media_type: media_type.to_owned(), base64 })
}

/// The beginning of a text.
fn cut(text: &str, budget: usize) -> String {
    if text.len() <= budget {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(budget);
    let beginning = text.get(..end).unwrap_or_default();
    format!("{beginning}\n[… {} bytes left out; ask for less, or for a part …]", text.len() - end)
}
