//! What a tool is.
//!
//! A [`Tool`] describes itself to the model ([`Tool::spec`]), turns a call into an [`Action`](krabba_types::Action) without doing
//! anything ([`Tool::plan`]), and does what the reference monitor authorised ([`Tool::run`]). Nothing else of it is visible: the
//! agent knows no tool by name, and a tool knows no policy.
//!
//! A [`Catalogue`] holds all tools that an agent may use. Some of them stand in the prompt; the others are found by a search and
//! run through another tool, so that the list in the prompt never changes within a session. A [`Selection`] is what the owner left on of them.

mod catalogue;
mod outcome;
mod selection;
#[cfg(test)]
mod selection_tests;
mod tool;

pub use catalogue::Catalogue;
pub use outcome::Outcome;
pub use selection::{Keeps, Selection, Step};
pub use tool::{Call, Eyes, Helper, Refusal, Repeat, Run, SecretScanner, Seen, Tool, Worked};
