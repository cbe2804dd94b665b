//! What a tool brought.

use krabba_types::{Image, Label};

/// The end of a tool's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the model reads.
    pub text: String,
    /// Whether it failed.
    pub is_error: bool,
    /// Where the text comes from; joined with what the action's terms demand by whoever stores it.
    pub label: Label,
    /// The same as data, where a server gave it as such (MCP: `structuredContent`). Never worked out from the text.
    pub structured: Option<serde_json::Value>,
    /// Pictures for the model.
    pub images: Vec<Image>,
    /// What a person is shown instead of the text (a diff).
    pub shown: Option<String>,
    /// What two results have in common that differ in nothing but names and times; the text itself where nothing is said.
    pub gist: Option<String>,
    /// The rule for which nothing more is done in this conversation.
    pub stops: Option<String>,
}

impl Outcome {
    /// It went well.
    pub fn done(text: impl Into<String>, label: Label) -> Self {
        Self { text: text.into(), is_error: false, label, structured: None, images: Vec::new(), shown: None, gist: None, stops: None }
    }

    /// It failed; the words are ours.
    pub fn failed(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_error: true,
            label: Label::Minted,
            structured: None,
            images: Vec::new(),
            shown: None,
            gist: None,
            stops: None,
        }
    }

    /// The same, with something for a person to look at.
    #[must_use]
    pub fn showing(mut self, shown: impl Into<String>) -> Self {
        self.shown = Some(shown.into());
        self
    }
}
