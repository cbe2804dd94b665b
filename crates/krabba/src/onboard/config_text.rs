//! The configuration that a first run writes: short, commented, and easy to change by hand.

use super::entry::{Entry, Key};

/// The text of the file.
pub(crate) fn config_text(entry: &Entry, fallbacks: &[String]) -> String {
    let primary = quoted(&entry.reference());
    let mut text = String::from(
        "// krabba's configuration. JSON5: comments and trailing commas are fine. `krabba config validate` checks it.\n\
         // All keys: `krabba config schema`, or docs/config.md in the source.\n{\n",
    );
    text.push_str("  models: {\n    providers: {\n");
    text.push_str(&format!("      // {}, found on the first run.\n", comment(&entry.server)));
    text.push_str(&format!("      {}: {{\n        baseUrl: {},\n", quoted(&entry.id), quoted(&entry.base_url)));
    if let Some(key) = &entry.key {
        let other = match key {
            Key::Typed(_) => " // or \"${SOME_VARIABLE}\"",
            Key::Variable(_) => "",
        };
        text.push_str(&format!("        apiKey: {},{other}\n", quoted(&key.written())));
    }
    text.push_str(&format!("        api: {},\n", quoted(entry.dialect.name())));
    if let Some(why) = &entry.hosted {
        text.push_str(&format!("        // {}.\n", comment(&why.because)));
        if let Some(place) = &why.may_be {
            text.push_str(&format!(
                "        // If all that stands behind it is your own:\n        // residency: {},\n",
                quoted(&place.to_string())
            ));
        }
    }
    text.push_str(
        "        // Windows and abilities are asked from the server; `contextWindow` here would only narrow them.\n        models: [\n",
    );
    for model in &entry.models {
        text.push_str(&format!("          {{ id: {} }},\n", quoted(model.as_str())));
    }
    text.push_str("        ],\n      },\n    },\n  },\n");
    text.push_str(&format!("  agents: {{\n    defaults: {{\n      model: {{\n        // Answers first.\n        primary: {primary},\n"));
    text.push_str(
        "        // Asked in this order when it does not answer. A hosted model here is your permission to use it,\n        \
         // for example \"anthropic/claude-sonnet-4-5\" with the key in ANTHROPIC_API_KEY.\n",
    );
    let quoted_fallbacks: Vec<String> = fallbacks.iter().map(|reference| quoted(reference)).collect();
    text.push_str(&format!("        fallbacks: [{}],\n      }},\n    }},\n  }},\n", quoted_fallbacks.join(", ")));
    if fallbacks.is_empty() && entry.hosted.is_none() {
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
