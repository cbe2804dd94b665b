//! The system prompt, as a list of named pieces with hard limits.

use std::borrow::Cow;

use krabba_markup::neutralise;
use krabba_types::TemplateFamily;

use crate::build::Item;
use crate::estimate::estimate_tokens;
use crate::fit::{head, keep_head};

/// The budget of the system prompt and the tools together in a fresh workspace, in bytes (about 3,000 tokens).
pub const DEFAULT_BUDGET: usize = 12_000;
/// The same in a window of at most [`SMALL_WINDOW`] tokens, in bytes (about 1,200 tokens).
pub const SMALL_WINDOW_BUDGET: usize = 4_800;
/// The window up to which the small budget holds, in tokens.
pub const SMALL_WINDOW: u32 = 8_192;

/// The prompt that krabba speaks with when it has no tools.
const SYSTEM: &str = include_str!("../prompts/system.md");

/// How often a piece changes. The order of the pieces in the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Changes {
    /// With a new version of krabba.
    WithVersion,
    /// When the owner edits their configuration or workspace.
    WithConfiguration,
    /// From session to session, never within one.
    WithSession,
}

/// Who wrote a piece, which decides whether special tokens in it are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Author {
    /// It ships with krabba.
    Krabba,
    /// Anybody else, the owner's files included.
    Others,
}

/// A named piece of the system prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    name: String,
    changes: Changes,
    author: Author,
    text: String,
    cap: u32,
}

impl Fragment {
    /// A piece that is cut off after `cap` tokens.
    pub fn new(name: impl Into<String>, changes: Changes, author: Author, text: impl Into<String>, cap: u32) -> Self {
        Self { name: name.into(), changes, author, text: text.into(), cap }
    }

    /// Who krabba is, for a conversation without tools. A few hundred bytes.
    pub fn identity() -> Self {
        Self::new("identity", Changes::WithVersion, Author::Krabba, SYSTEM.trim_end(), 200)
    }

    /// The name under which it is listed.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn render(&self, family: TemplateFamily, bytes_left: usize) -> String {
        let text = match self.author {
            Author::Krabba => Cow::Borrowed(self.text.trim()),
            Author::Others => neutralise(self.text.trim(), family),
        };
        let within_cap = if estimate_tokens(&text) > self.cap { keep_head(&text, self.cap) } else { text.into_owned() };
        if within_cap.len() <= bytes_left { within_cap } else { head(&within_cap, bytes_left).to_owned() }
    }
}

/// The pieces, ordered from what never changes to what changes often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemPrompt {
    fragments: Vec<Fragment>,
    budget: Option<usize>,
}

impl SystemPrompt {
    /// Orders `fragments` by [`Changes`]; those that change alike stay in the order given.
    pub fn new(fragments: impl IntoIterator<Item = Fragment>) -> Self {
        let mut fragments: Vec<Fragment> = fragments.into_iter().collect();
        fragments.sort_by_key(|fragment| fragment.changes);
        Self { fragments, budget: None }
    }

    /// Allows the system prompt and the tools together so many bytes in every window, in place of [`DEFAULT_BUDGET`] and
    /// [`SMALL_WINDOW_BUDGET`].
    #[must_use]
    pub fn with_budget(self, bytes: usize) -> Self {
        Self { budget: Some(bytes), ..self }
    }

    /// The pieces in their order.
    pub fn fragments(&self) -> &[Fragment] {
        &self.fragments
    }

    /// The text for a route, and what each piece contributes. Pieces beyond the budget are cut off, the last ones first.
    pub(crate) fn render(&self, family: TemplateFamily, window: u32, tool_bytes: usize) -> (String, Vec<Item>) {
        let budget = self.budget.unwrap_or(if window <= SMALL_WINDOW { SMALL_WINDOW_BUDGET } else { DEFAULT_BUDGET });
        let mut text = String::new();
        let mut items = Vec::new();
        for fragment in &self.fragments {
            let separator = if text.is_empty() { "" } else { "\n\n" };
            let left = budget.saturating_sub(tool_bytes + text.len() + separator.len());
            let piece = fragment.render(family, left);
            items.push(Item::of(fragment.name.clone(), &piece));
            if !piece.is_empty() {
                text.push_str(separator);
                text.push_str(&piece);
            }
        }
        (text, items)
    }
}

impl Default for SystemPrompt {
    /// The identity alone.
    fn default() -> Self {
        Self::new([Fragment::identity()])
    }
}
