//! What the owner wrote in this conversation, and whether a value is among it.

use crate::{Principal, Scene, Source};
use krabba_types::Label;

/// The owner's own words in a scene.
#[derive(Debug)]
pub(crate) struct OwnerWords {
    texts: Vec<String>,
}

impl OwnerWords {
    pub(crate) fn of(scene: &Scene) -> Self {
        let owner = scene.principal == Principal::Owner;
        let typed = scene.said.iter().filter(|said| owner && said.source == Source::Typed && said.label == Label::Owner);
        Self { texts: typed.map(|said| said.text.to_lowercase()).collect() }
    }

    /// Whether the owner wrote `value`, as a whole and between the ends of words.
    pub(crate) fn hold(&self, value: &str) -> bool {
        let value = value.trim().to_lowercase();
        !value.is_empty() && self.texts.iter().any(|text| stands_alone(text, &value))
    }
}

fn stands_alone(text: &str, value: &str) -> bool {
    let mut before = None;
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once(value) {
        let left = head.chars().next_back().or(before);
        let right = tail.chars().next();
        if !left.is_some_and(joins_left) && !right.is_some_and(joins_right) {
            return true;
        }
        // One character further, so that overlapping places are tried as well.
        let mut characters = rest.char_indices().skip(head.chars().count() + 1);
        let Some((next, _)) = characters.next() else { return false };
        let Some((skipped, remaining)) = rest.split_at_checked(next) else { return false };
        before = skipped.chars().next_back();
        rest = remaining;
    }
    false
}

fn joins_left(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '@' | '.' | '-' | '/')
}

fn joins_right(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '@' | '-' | '/')
}
