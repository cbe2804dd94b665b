//! Older turns are replaced by a note that a model writes: which turns, in which pieces the model reads them, and what counts
//! as a note.
//!
//! This plans and judges; whoever calls asks the model, piece after piece, with the note so far. A piece and a note are shares of the
//! window of the model that reads them, so that a conversation of any length is read, and the note stays small.

use krabba_markup::neutralise;
use krabba_types::{Message, Part, Role, TemplateFamily};

use crate::budget::Budget;
use crate::build::{Input, instruction_tokens, instructions};
use crate::conversation::Conversation;
use crate::cut::{drop_until, total, turn_tokens};
use crate::estimate::estimate_tokens;
use crate::fit::keep_ends;
use crate::repair::Turn;

const DIGEST: &str = include_str!("../prompts/digest.md");
const DIGESTED: &str = include_str!("../prompts/digested.md");

/// Words of a note for each token that it may have. English takes about four tokens for three words, other languages more.
const WORDS_PER_TOKEN: (u32, u32) = (1, 2);

/// Why a conversation is made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Only if the window is nearly full: before something has to be left out.
    NearlyFull,
    /// A person asked for it.
    Asked,
}

/// Older turns that shall leave the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// What a model reads, one after the other. Never empty.
    pub pieces: Vec<Piece>,
    /// Stored messages in all of them.
    pub messages: usize,
    /// About how many tokens leave with them.
    pub tokens: u32,
    /// The longest note, in tokens.
    pub longest: u32,
}

/// Some turns, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The `seq` of the first message after it.
    pub keep_from: u64,
    /// What was said.
    pub text: String,
}

/// What leaves, or `None` when nothing does: there is room, or nothing but the last turn.
pub fn digest(input: &Input<'_>, occasion: Occasion) -> Option<Digest> {
    let budget = Budget::new(input.window, input.max_output, input.meter);
    let turns = Conversation::of(input, budget).turns();
    let costs: Vec<u32> = turns.iter().map(turn_tokens).collect();
    let fixed = input.meter.correct(instruction_tokens(input.offered.tools, instructions(input).0.as_ref()));
    let present = input.meter.correct(total(&costs));
    let goal = match occasion {
        Occasion::NearlyFull if fixed.saturating_add(present) <= budget.nearly_full() => return None,
        Occasion::NearlyFull => budget.recent(fixed),
        Occasion::Asked => budget.compacted(fixed, present),
    };
    let dropped = drop_until(&costs, input.meter, goal);
    let (leaving, staying) = turns.split_at_checked(dropped).filter(|(leaving, _)| !leaving.is_empty())?;
    let after = staying.first()?.first_seq;
    Some(Digest {
        pieces: pieces(leaving, after, budget.piece()),
        messages: leaving.iter().map(|turn| turn.stored).sum(),
        tokens: input.meter.correct(costs.iter().take(dropped).sum()),
        longest: budget.note(),
    })
}

impl Digest {
    /// The `seq` of the first message that stays.
    pub fn keep_from(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.keep_from)
    }

    /// What a model of this family is sent to write the note about a piece.
    pub fn request(&self, piece: &Piece, before: Option<&str>, family: TemplateFamily) -> Vec<Message> {
        let (per, tokens) = WORDS_PER_TOKEN;
        let system = DIGEST.trim_end().replace("{words}", &(self.longest * per / tokens).to_string());
        let so_far = before.unwrap_or("nothing yet");
        let text = format!("Noted so far:\n{so_far}\n\nThe record goes on:\n{}", piece.text);
        vec![Message::text(Role::System, system), Message::text(Role::User, neutralise(&text, family).into_owned())]
    }

    /// The note out of an answer; `None` where the model wrote nothing, or no less than it has read.
    pub fn note(&self, piece: &Piece, before: Option<&str>, answer: &str) -> Option<String> {
        let note = answer.trim();
        let read = estimate_tokens(&piece.text).saturating_add(before.map_or(0, estimate_tokens));
        (!note.is_empty() && estimate_tokens(note) < read).then(|| keep_ends_above(note, self.longest))
    }
}

/// How a model gets to see a note.
pub(crate) fn digested(note: &str, family: TemplateFamily) -> String {
    DIGESTED.trim_end().replace("{note}", &neutralise(note, family))
}

/// Whole turns together, as many as a piece holds. A turn that is larger by itself loses the middle of its texts.
fn pieces(turns: &[Turn], after: u64, limit: u32) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (index, turn) in turns.iter().enumerate() {
        let keep_from = turns.get(index + 1).map_or(after, |next| next.first_seq);
        let text = keep_ends_above(&transcript(turn), limit);
        match pieces.last_mut() {
            Some(piece) if estimate_tokens(&piece.text).saturating_add(estimate_tokens(&text)) <= limit => {
                piece.text.push_str(&text);
                piece.keep_from = keep_from;
            }
            Some(_) | None => pieces.push(Piece { keep_from, text }),
        }
    }
    pieces
}

fn transcript(turn: &Turn) -> String {
    let mut text = String::new();
    for message in &turn.messages {
        let who = match message.role {
            Role::User | Role::System => "Owner",
            Role::Assistant => "Assistant",
            Role::Tool => "Tool",
        };
        for part in &message.parts {
            let line = match part {
                Part::Text(said) => format!("{who}: {said}\n"),
                Part::Image(_) => format!("{who}: (a picture)\n"),
                Part::Reasoning(_) => continue,
                Part::ToolCall(call) => {
                    let arguments = serde_json::to_string(&call.arguments).unwrap_or_default();
                    format!("Assistant calls {}: {arguments}\n", call.name)
                }
                Part::ToolResult(result) => format!("Tool {} brought: {}\n", result.name, result.text),
            };
            text.push_str(&line);
        }
    }
    text
}

fn keep_ends_above(text: &str, tokens: u32) -> String {
    if estimate_tokens(text) <= tokens { text.to_owned() } else { keep_ends(text, tokens) }
}
