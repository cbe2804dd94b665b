//! The reference monitor.
//!
//! Whatever a model wants to happen is first an [`Action`](krabba_types::Action): data. The monitor looks at it together with the
//! [`Scene`] it would happen in, and gives a [`Verdict`]. Only an allowed one holds an [`Authorized`], only this crate can make
//! one, and tools and sandbox take nothing else.

mod authorized;
mod scene;
mod verdict;

pub use authorized::{Authorized, Terms, View};
pub use scene::{Principal, Said, Scene, Source};
pub use verdict::{Answer, Denial, Question, Verdict};
