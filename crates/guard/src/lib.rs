//! The reference monitor.
//!
//! Whatever a model wants to happen is first an [`Action`](krabba_types::Action): data. The [`Monitor`] looks at it together with
//! the [`Scene`] it would happen in, and gives a [`Verdict`]. Only an allowed one holds an [`Authorized`], only this crate can make
//! one, and tools and sandbox take nothing else.
//!
//! # How it decides
//! What bears on an action is boiled down to [`Condition`]s (the context holds foreign content, the file steers the agent, every
//! critical argument is the owner's own word, …), and the first [`Rule`] of the [`Policy`] whose conditions are met decides. The
//! rules are data: `krabba explain policy` prints the very ones that are used. A model is taken for hostile from its first word,
//! so that no rule asks whether it means well; the text of a command is not judged at all, the sandbox holds whatever it does.
//!
//! # What it keeps
//! Every decision is a row of the audit, chained by BLAKE3, before its effect. A question to the owner is a row too: bound to the
//! action, its terms and the policy, answered once, used once, and a no when nobody answers in time.

mod address_book;
mod audit;
mod authorized;
mod canonical;
mod control_files;
mod decoys;
mod delegation;
mod error;
mod file_labels;
mod findings;
mod grants;
mod handles;
mod monitor;
mod owner_words;
mod payload;
mod policy;
mod provenance;
mod question;
mod rules;
mod scene;
mod spelling;
mod verdict;

#[cfg(test)]
mod changes_tests;
#[cfg(test)]
mod delegation_tests;
#[cfg(test)]
mod file_labels_tests;
#[cfg(test)]
mod monitor_tests;
#[cfg(test)]
mod payload_tests;
#[cfg(test)]
mod variants_tests;

pub use address_book::AddressBook;
pub use audit::{AuditProblem, Decided, check_audit};
pub use authorized::{Authorized, Terms, View};
pub use control_files::ControlFiles;
pub use decoys::Decoys;
pub use delegation::{Delegated, Delegation};
pub use error::GuardError;
pub use file_labels::{Course, FileLabels, LabelError, Ran, Reach, content_hash};
pub use monitor::Monitor;
pub use payload::defang;
pub use policy::{Condition, Decision, Policy, Rule, Sink, ToolRule};
pub use scene::{Principal, Said, Scene, Source};
pub use verdict::{Answer, Denial, OpenQuestion, Question, Redeemed, Verdict};
