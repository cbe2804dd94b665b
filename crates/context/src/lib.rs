//! The prompt for given facts: fragments, stable prefix, budget, history repair, the deterministic cut.
//!
//! A prompt is made anew for every request from two things: a [`SystemPrompt`] of [`Fragment`]s, and the stored history.
//! [`build`] turns them into the message list for one route, and it is a function: the same input gives the same list.
//!
//! What it promises:
//!
//! - **The prefix is stable.** Within a session on one route, the list of one request begins with the list of the request
//!   before, until a cut is reported. Nothing that changes with time stands before the last user message; the time of day
//!   travels inside the message that it belongs to ([`Circumstances`]) and is stored with it. Where history was cut once,
//!   it stays cut at the same place ([`Input::keep_from`]) until that no longer fits, and then half of the room is freed
//!   at once, so that the next cut is far away.
//! - **The list is valid for the strictest template** ([`check`] says what that means), wherever the event log broke off:
//!   [`repair`] pairs calls with results, closes turns that were stopped, and keeps user and assistant in turns.
//! - **It fits.** The answer has a reserved share of the window; what does not fit leaves by whole turns, oldest first. In a
//!   last turn that is too large by itself, what was done loses its middle, visibly, oldest first, and the question last; so it stays in
//!   later requests ([`Input::shortened`]). What was cut is said; what cannot fit is
//!   [`TooLarge`], with the number of tokens.
//! - **Older turns can be noted.** [`digest`] says which turns leave before the window is full or at a person's word, and in which
//!   pieces a model reads them; the note that it wrote ([`Input::note`]) stands at the beginning of the first message that stays.
//! - **It is clean.** Reasoning of another route is dropped and never becomes text; pictures become a stub for a model
//!   without eyes; special tokens of the model's template are broken in all text that is not ours.
//!
//! How much is said before anybody has said anything is bounded in bytes of tools and messages as they travel
//! ([`Profile::budget`]): 12,000, and 4,800 in windows of 8,192 tokens or less. Tools come first. [`Toolset::choose`]
//! describes them in fewer words until they fit into their share, and what has no place up front is found with
//! [`FIND_TOOLS`] and called with [`CALL_TOOL`](krabba_types::CALL_TOOL). Our own instructions follow, and the owner's files ([`WorkspaceFile`]) share
//! what is left by weight. Toolset and system prompt are chosen once and stored with the session, because the prompt would
//! change from its first byte if they were made anew. [`what_is_off`] says what found no room, and [`Built::items`] how much
//! each piece takes.
//!
//! Tokens are estimated ([`estimate_tokens`]) and corrected by what the server reported ([`Meter`]).

mod brief;
mod budget;
mod build;
mod check;
mod circumstances;
mod conversation;
mod cut;
mod digest;
mod estimate;
mod fit;
mod foreign;
mod fragment;
mod item;
mod measure;
mod meter;
mod profile;
mod repair;
mod toolset;
mod workspace;

#[cfg(test)]
mod build_tests;
#[cfg(test)]
mod circumstances_tests;
#[cfg(test)]
mod cut_tests;
#[cfg(test)]
mod digest_tests;
#[cfg(test)]
mod estimate_tests;
#[cfg(test)]
mod fragment_tests;
#[cfg(test)]
mod meter_tests;
#[cfg(test)]
mod repair_tests;
#[cfg(test)]
mod toolset_tests;
#[cfg(test)]
mod workspace_tests;

pub use build::{Built, Entry, Input, Offered, Pictures, PromptError, Standing, build};
pub use check::{Violation, check};
pub use circumstances::{Circumstances, user_message};
pub use conversation::TextLimits;
pub use cut::{Cut, Shortened, TooLarge};
pub use digest::{Digest, Occasion, Piece, digest};
pub use estimate::estimate_tokens;
pub use fragment::{Author, Changes, Fragment, SystemPrompt};
pub use item::{Item, Source, what_is_off};
pub use measure::message_tokens;
pub use meter::{Meter, TokenSource, Tokens, truncated_by_server};
pub use profile::{Profile, SMALL_WINDOW};
pub use repair::{ABORTED_LINE, repair};
pub use toolset::{FIND_TOOLS, Toolset};
pub use workspace::WorkspaceFile;
