//! Diagnostics as text for a terminal.

use std::fmt::Write;

use crate::{Diagnostic, Diagnostics, Severity};

/// Whether the text may hold escape sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Text alone.
    Plain,
    /// ANSI colours.
    Colours,
}

/// All diagnostics, each with its line, and a last line that counts them. Empty when there are none.
pub fn render(diagnostics: &Diagnostics, paint: Paint) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics.iter() {
        one(&mut text, diagnostic, paint);
        text.push('\n');
    }
    let counts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Notice]
        .into_iter()
        .filter_map(|severity| match diagnostics.count(severity) {
            0 => None,
            1 => Some(format!("1 {}", severity.name())),
            several => Some(format!("{several} {}s", severity.name())),
        })
        .collect();
    if !counts.is_empty() {
        text.push_str(&counts.join(", "));
        text.push('\n');
    }
    text
}

fn one(text: &mut String, diagnostic: &Diagnostic, paint: Paint) {
    let (strong, faint, end) = match paint {
        Paint::Plain => ("", "", ""),
        Paint::Colours => (colour(diagnostic.severity), "\u{1b}[2m", "\u{1b}[0m"),
    };
    let key = diagnostic.key.as_deref().map(|key| format!("{key}: ")).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{strong}{}[{}]{end}: {key}{}", diagnostic.severity.name(), diagnostic.code, diagnostic.message);
    let gutter = match &diagnostic.place {
        Some(place) => " ".repeat(place.line.to_string().len()),
        None => String::new(),
    };
    if let Some(place) = &diagnostic.place {
        let _ = writeln!(text, "{gutter}{faint}-->{end} {place}");
        if let Some(snippet) = &diagnostic.snippet {
            let (indent, marks) = (" ".repeat(snippet.indent), "^".repeat(snippet.width));
            let _ = writeln!(text, "{gutter} {faint}|{end}");
            let _ = writeln!(text, "{} {faint}|{end} {}", place.line, snippet.text);
            let _ = writeln!(text, "{gutter} {faint}|{end} {indent}{strong}{marks}{end}");
        }
    }
    for related in &diagnostic.related {
        let _ = writeln!(text, "{gutter} {faint}={end} {}: {}", related.place, related.note);
    }
    if let Some(expected) = &diagnostic.expected {
        let _ = writeln!(text, "{gutter} {faint}={end} expected: {expected}");
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(text, "{gutter} {faint}={end} help: {help}");
    }
}

fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "\u{1b}[1;31m",
        Severity::Warning => "\u{1b}[1;33m",
        Severity::Notice => "\u{1b}[1;36m",
    }
}
