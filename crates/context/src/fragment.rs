//! The system prompt, as a list of named pieces with hard limits.

use std::borrow::Cow;

use krabba_markup::neutralise;
use krabba_types::TemplateFamily;
use serde::{Deserialize, Serialize};

use crate::estimate::estimate_tokens;
use crate::fit::{clip, keep_head, last_lines};
use crate::item::{Item, Source};
use crate::measure::escaped_bytes;
use crate::profile::Profile;
use crate::workspace::{Claim, WorkspaceFile, content, share_out};

/// Who krabba is.
const SYSTEM: &str = include_str!("../prompts/system.md");
/// How to go about things with tools.
const ACTING: &str = include_str!("../prompts/acting.md");
/// What the frame around the first request takes, and a short question with its circumstances, in bytes.
const FIRST_QUESTION: usize = 256;

/// How often a piece changes. The order of the pieces in the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Changes {
    /// With a new version of krabba.
    WithVersion,
    /// When the owner edits their configuration or workspace.
    WithConfiguration,
    /// From session to session, never within one.
    WithSession,
}

/// Who wrote a piece, which decides whether special tokens in it are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Author {
    /// It ships with krabba.
    Krabba,
    /// Anybody else, the owner's files included.
    Others,
}

/// A named piece of the system prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragment {
    name: String,
    changes: Changes,
    author: Author,
    text: String,
    cap: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<WorkspaceFile>,
}

impl Fragment {
    /// A piece that is cut off after `cap` tokens.
    pub fn new(name: impl Into<String>, changes: Changes, author: Author, text: impl Into<String>, cap: u32) -> Self {
        Self { name: name.into(), changes, author, text: text.into(), cap, file: None }
    }

    /// Who krabba is. A few hundred bytes.
    pub fn identity() -> Self {
        Self::new("identity", Changes::WithVersion, Author::Krabba, SYSTEM.trim_end(), 200)
    }

    /// How to go about things, for a conversation with tools. A few hundred bytes.
    pub fn acting() -> Self {
        Self::new("acting", Changes::WithVersion, Author::Krabba, ACTING.trim_end(), 250)
    }

    /// A file of the owner's, under its name. `None` when it says nothing: it is empty, or has headings only.
    pub fn workspace(file: WorkspaceFile, text: &str) -> Option<Self> {
        let text = format!("# {}\n\n{}", file.file_name(), content(text)?);
        let fragment = Self::new(file.file_name(), file.changes(), Author::Others, text, WorkspaceFile::CAP);
        Some(Self { file: Some(file), ..fragment })
    }

    /// What was noted on `day` (`2026-11-29`), in `memory/` under that name. Of a long one the end: notes are added there.
    pub fn daily(day: &str, text: &str) -> Option<Self> {
        let name = format!("{}/{day}.md", WorkspaceFile::Daily.file_name());
        let text = content(text)?;
        let end = last_lines(text, WorkspaceFile::DAILY_BYTES);
        let before = if end.len() < text.len() { format!("[… read {name} to see what was noted before …]\n") } else { String::new() };
        let text = format!("# {name}\n\n{before}{end}");
        let fragment = Self::new(name, WorkspaceFile::Daily.changes(), Author::Others, text, WorkspaceFile::CAP);
        Some(Self { file: Some(WorkspaceFile::Daily), ..fragment })
    }

    /// The name under which it is listed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text, where somebody else than krabba wrote it.
    pub fn foreign_text(&self) -> Option<&str> {
        (self.author == Author::Others).then_some(self.text.as_str())
    }

    /// The text within the cap.
    fn render(&self, family: TemplateFamily) -> String {
        let text = match self.author {
            Author::Krabba => Cow::Borrowed(self.text.trim()),
            Author::Others => neutralise(self.text.trim(), family),
        };
        if estimate_tokens(&text) > self.cap { keep_head(&text, self.cap) } else { text.into_owned() }
    }

    /// What follows the beginning of the text where the rest has no room.
    fn mark(&self) -> String {
        match self.file {
            Some(_) => format!("\n[… the rest has no room here: read {} to see it …]", self.name),
            None => String::new(),
        }
    }
}

/// The pieces, ordered from what never changes to what changes often.
///
/// Within a session it must stay as it is, whatever happens to the files that it was made of: store it when the session
/// begins (it serialises), and take a fresh one after a compaction, when the prompt changes anyway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemPrompt {
    fragments: Vec<Fragment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget: Option<usize>,
}

impl SystemPrompt {
    /// Orders `fragments` by [`Changes`]; those that change alike stay in the order given.
    pub fn new(fragments: impl IntoIterator<Item = Fragment>) -> Self {
        let mut fragments: Vec<Fragment> = fragments.into_iter().collect();
        fragments.sort_by_key(|fragment| fragment.changes);
        Self { fragments, left_out: Vec::new(), budget: None }
    }

    /// Says what would be a piece and is none, and why: a line for the person each.
    #[must_use]
    pub fn leaving_out(self, lines: Vec<String>) -> Self {
        Self { left_out: lines, ..self }
    }

    /// Allows the first request so many bytes in every window, in place of [`Profile::budget`].
    #[must_use]
    pub fn with_budget(self, bytes: usize) -> Self {
        Self { budget: Some(bytes), ..self }
    }

    /// The pieces in their order.
    pub fn fragments(&self) -> &[Fragment] {
        &self.fragments
    }

    /// What would be a piece and is none, and why: a line for the person each.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// What the first request in a window of so many tokens may take, in bytes of its tools and messages as they travel.
    pub fn budget(&self, window: u32) -> usize {
        self.budget.unwrap_or_else(|| Profile::budget(window))
    }

    /// The text for a route, and what each piece contributes. Our own pieces come first to the room that the tools leave, the
    /// owner's files share what is left.
    pub(crate) fn render(&self, family: TemplateFamily, window: u32, tool_bytes: usize) -> (String, Vec<Item>) {
        let whole: Vec<String> = self.fragments.iter().map(|fragment| fragment.render(family)).collect();
        let needs: Vec<usize> = whole.iter().map(|text| escaped_bytes(text) + escaped_bytes(SEPARATOR)).collect();
        let mut left = self.budget(window).saturating_sub(tool_bytes + FIRST_QUESTION);
        let mut allowed = needs.clone();
        for (index, fragment) in self.fragments.iter().enumerate() {
            if fragment.file.is_none() {
                allowed[index] = allowed[index].min(left);
                left -= allowed[index];
            }
        }
        let claims = self.fragments.iter().zip(&needs).filter_map(|(fragment, need)| {
            let weight = fragment.file?.weight();
            Some(Claim { need: *need, weight })
        });
        let mut shares = share_out(left, &claims.collect::<Vec<_>>()).into_iter();

        let mut pieces = Vec::new();
        let mut items = Vec::new();
        for (index, fragment) in self.fragments.iter().enumerate() {
            let allowed = if fragment.file.is_some() { shares.next().unwrap_or(0) } else { allowed[index] };
            let piece = clip(&whole[index], allowed.saturating_sub(escaped_bytes(SEPARATOR)), &fragment.mark());
            items.push(Item::of(Source::Fragment, fragment.name.clone(), &piece).out_of(fragment.text.trim().len()));
            if !piece.is_empty() {
                pieces.push(piece);
            }
        }
        (pieces.join(SEPARATOR), items)
    }
}

/// What stands between two pieces.
pub(crate) const SEPARATOR: &str = "\n\n";

impl Default for SystemPrompt {
    /// The identity alone.
    fn default() -> Self {
        Self::new([Fragment::identity()])
    }
}
