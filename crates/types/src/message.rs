//! What is said in a conversation, independent of any wire format.

use serde::{Deserialize, Serialize};

use crate::{CallId, JsonObject, ModelRef};

/// Who speaks. Dialects translate; `System` becomes one leading instruction wherever a server allows one only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions of ours.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// One entry of the conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order. Text parts that follow each other are paragraphs: dialects put a blank line between them.
    pub parts: Vec<Part>,
}

impl Message {
    /// A message of a single text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::Text(text.into())] }
    }

    /// All text parts as paragraphs, without reasoning, calls or images.
    pub fn plain_text(&self) -> String {
        let texts: Vec<&str> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Image(_) | Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => None,
            })
            .collect();
        texts.join("\n\n")
    }
}

/// A piece of a message. Reasoning is a kind of its own, so that nothing which handles text can show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type", content = "value")]
pub enum Part {
    /// Text for the reader.
    Text(String),
    /// A picture that a person sent.
    Image(Image),
    /// What the model thought. Never text, never delivered by a channel.
    Reasoning(Reasoning),
    /// A complete call that the model made.
    ToolCall(ToolCall),
    /// What a call brought.
    ToolResult(ToolResult),
}

/// A picture, held in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `image/png`, `image/jpeg`, `image/webp` or `image/gif`.
    pub media_type: String,
    /// The bytes in standard base64 without line breaks.
    pub base64: String,
}

impl Image {
    /// The media type of a picture that models take, by its first bytes: servers refuse a PNG that is called a JPEG.
    pub fn media_type_of(bytes: &[u8]) -> Option<&'static str> {
        match bytes {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
            [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
            [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
            _ => None,
        }
    }
}

/// What a model thought, with what its provider needs to recognise it as its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reasoning {
    /// The readable part; may be empty when the provider encrypts.
    pub text: String,
    /// Who produced it. Sent back to the same route only.
    pub origin: ReasoningOrigin,
}

/// The producer of a reasoning part. Opaque artefacts (Anthropic signatures, encrypted Responses items) are of no
/// use to, and often rejected by, any other route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReasoningOrigin {
    /// The route that wrote it.
    pub route: ModelRef,
    /// The wire field or item type it came in (`reasoning_content`, `thinking`, …), for servers that want it back under the same name.
    pub field: String,
    /// The provider's opaque artefact, returned verbatim.
    pub artefact: Option<JsonObject>,
}

/// A complete tool call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Ours, unique in the session.
    pub id: CallId,
    /// The tool's name.
    pub name: String,
    /// The arguments; always an object.
    pub arguments: JsonObject,
    /// How it came.
    #[serde(default)]
    pub channel: CallChannel,
}

/// How a call came from the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallChannel {
    /// The server parsed it.
    #[default]
    Structured,
    /// The server held the model to a schema.
    Constrained,
    /// The model wrote it into its text, and it was recovered from there.
    Text,
}

/// The result of a tool call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call that this answers.
    pub call: CallId,
    /// The tool's name; some templates want it again.
    pub name: String,
    /// What the model reads.
    pub text: String,
    /// Whether the tool failed.
    pub is_error: bool,
    /// Pictures that came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
}
