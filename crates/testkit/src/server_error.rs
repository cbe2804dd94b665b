//! An error as a server words it, before a dialect and a kind of server shape it.

use krabba_types::JsonObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a server says went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerError {
    /// HTTP status; when the error comes inside a stream, only its number may appear in the body.
    pub status: u16,
    /// The words.
    pub message: String,
    /// `type` of the error; the server's usual one for the status when left out.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `code`; a number or a text, the server's usual one when left out.
    pub code: Option<Value>,
    /// `param`.
    pub param: Option<String>,
    /// More members of the error object (`n_ctx`, `metadata`).
    pub extra: JsonObject,
    /// Whether the server sends the bare words as `error`.
    pub bare: bool,
    /// Whether the words are sent alone, as text.
    pub plain: bool,
    /// Extra response headers (`retry-after`).
    pub headers: JsonObject,
}

impl Default for ServerError {
    fn default() -> Self {
        Self {
            status: 500,
            message: "the scripted server failed".to_owned(),
            kind: None,
            code: None,
            param: None,
            extra: JsonObject::new(),
            bare: false,
            plain: false,
            headers: JsonObject::new(),
        }
    }
}

impl ServerError {
    /// An error with the server's usual type and code for this status.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), ..Self::default() }
    }

    /// Names the type.
    pub fn kind(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }

    /// Names the code.
    pub fn code(mut self, code: impl Into<Value>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Names the parameter at fault.
    pub fn param(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    /// Adds a member to the error object.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a response header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// Sends the words alone, as text.
    pub fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Sends `{"error": "<words>"}` instead of an object.
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }
}
