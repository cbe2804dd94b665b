//! One SQLite file, `<state>/krabba.db`, that holds everything which must survive a crash: sessions and their events,
//! learned facts about routes, what each attempt cost, who is working on which session, what the owner was asked and
//! allowed, the audit of every decision, what was begun, whose the workspace's files are, and what MCP servers offer.
//!
//! # What it promises
//! - An event that [`Store::append`] returned is on the disk (WAL, `synchronous=FULL`): it survives `kill -9` and a
//!   power cut. What was given to [`Store::append_all`] is there as a whole or not at all.
//! - Events are only ever added. The database itself refuses to change one, and to remove one as long as its session
//!   exists; [`Store::delete_session`], at the person's word, takes the whole session and its bytes.
//! - An event that cannot be read (a newer krabba wrote it, its row is damaged) is handed out as it stands in the file
//!   ([`StoredEvent::Unreadable`]); the rest of its session stays usable.
//! - The audit is only ever added to, and on the disk when [`Store::append_audit`] returns.
//! - An answer to a question is given once and used once, no matter how many processes try.
//! - Facts, usage and leases are written without waiting for the disk. A power cut may take the last of them, never the
//!   file: they can be learned again, and nobody's words are in them.
//! - Two processes may use one file at the same time. Who may write a turn of a session is settled by a lease.
//!
//! # How it is called
//! All functions are synchronous and short: one transaction, at most one wait for the disk (a few milliseconds), and up
//! to five seconds when another process writes. Async code calls them in `spawn_blocking`. There is one connection
//! behind one lock, so that readers in this process see every write before them. Opening costs about a millisecond:
//! the schema is recognised by `user_version` alone.
//!
//! The store does not interpret an event's body; what a turn looks like is known to the agent alone.

mod approval;
mod audit;
mod effect;
mod error;
mod event;
mod fact;
mod file_label;
mod lease;
mod mcp_tool;
mod open;
mod permit;
mod process;
mod schema;
mod session;
mod store;
mod usage;

#[cfg(test)]
mod lease_tests;
#[cfg(test)]
mod open_tests;

pub use approval::{NewApproval, StoredAnswer, StoredApproval};
pub use audit::AuditRow;
pub use effect::{Effect, EffectState};
pub use error::StoreError;
pub use event::{Event, EventKind, NewEvent, StoredEvent, UnreadableEvent};
pub use fact::StoredFact;
pub use file_label::FileLabel;
pub use lease::{Lease, LeaseOwner, Leasing, Renewal};
pub use mcp_tool::McpTool;
pub use permit::Permit;
pub use session::{NewSession, Session};
pub use store::Store;
pub use usage::{UsageRow, UsageTiming};
