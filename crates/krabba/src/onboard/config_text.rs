//! The configuration that a first run writes: short, commented, and easy to change by hand.

use krabba_types::{Dialect, ModelId, Secret};

/// What the person chose.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// The key under `models.providers`.
    pub(crate) provider: String,
    /// The name of the software, for a comment.
    pub(crate) server: String,
    /// The URL that answered.
    pub(crate) base_url: String,
    /// The wire format.
    pub(crate) dialect: Dialect,
    /// The key that the server wants, if any.
    pub(crate) key: Option<Secret>,
    /// The models that the server has, the chosen one first.
    pub(crate) models: Vec<ModelId>,
    /// Hosted models that may step in.
    pub(crate) fallbacks: Vec<String>,
}

/// The text of the file.
pub(crate) fn config_text(choice: &Choice) -> String {
    let chosen = choice.models.first().map(ModelId::as_str).unwrap_or_default();
    let primary = quoted(&format!("{}/{chosen}", choice.provider));
    let mut text = String::from(
        "// krabba's configuration. JSON5: comments and trailing commas are fine. `krabba config validate` checks it.\n\
         // All keys: `krabba config schema`, or docs/config.md in the source.\n{\n",
    );
    text.push_str("  models: {\n    providers: {\n");
    text.push_str(&format!("      // {}, found on the first run.\n", comment(&choice.server)));
    text.push_str(&format!("      {}: {{\n        baseUrl: {},\n", quoted(&choice.provider), quoted(&choice.base_url)));
    if let Some(key) = &choice.key {
        text.push_str(&format!("        apiKey: {}, // or \"${{SOME_VARIABLE}}\"\n", quoted(key.expose())));
    }
    text.push_str(&format!("        api: {},\n", quoted(choice.dialect.name())));
    text.push_str(
        "        // Windows and abilities are asked from the server; `contextWindow` here would only narrow them.\n        models: [\n",
    );
    for model in &choice.models {
        text.push_str(&format!("          {{ id: {} }},\n", quoted(model.as_str())));
    }
    text.push_str("        ],\n      },\n    },\n  },\n");
    text.push_str(&format!("  agents: {{\n    defaults: {{\n      model: {{\n        // Answers first.\n        primary: {primary},\n"));
    text.push_str(
        "        // Asked in this order when it does not answer. A hosted model here is your permission to use it,\n        \
         // for example \"anthropic/claude-sonnet-4-5\" with the key in ANTHROPIC_API_KEY.\n",
    );
    let fallbacks: Vec<String> = choice.fallbacks.iter().map(|reference| quoted(reference)).collect();
    text.push_str(&format!("        fallbacks: [{}],\n      }},\n    }},\n  }},\n", fallbacks.join(", ")));
    if choice.fallbacks.is_empty() {
        text.push_str(
            "  // Forbids anything beyond your own network, whatever else this file says:\n  // privacy: { residency: \"lan\" },\n",
        );
    }
    text.push_str("}\n");
    text
}

/// A JSON string is a JSON5 string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Text that cannot end a line comment.
fn comment(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')).collect()
}
