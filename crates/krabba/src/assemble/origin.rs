//! Where a setting was written, for messages.

use krabba_config::{KeyPath, Loaded, Step};

/// A key path from text steps and positions.
pub(super) fn path<const N: usize>(steps: [&str; N]) -> KeyPath {
    let mut path = KeyPath::default();
    for step in steps {
        path.push(match step.parse::<usize>() {
            Ok(position) => Step::Index(position),
            Err(_) => Step::Key(step.to_owned()),
        });
    }
    path
}

/// `file:line:column (key)`, of the nearest key around `path` that stands in a file.
pub(super) fn origin(loaded: &Loaded, path: &KeyPath) -> String {
    let mut nearest = path.clone();
    while !nearest.is_empty() {
        if let Some(place) = loaded.place(&nearest) {
            return format!("{place} ({nearest})");
        }
        nearest.pop();
    }
    path.to_string()
}
