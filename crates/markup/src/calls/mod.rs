//! Calls that a model writes into its text.
//!
//! A model that was trained to call tools writes marks and a call between them, each family in its own way, and counts on the
//! server to take both out of the text. Servers fail at it: their parser is off, is of another family, or gives up. So it is done
//! here once more, in three steps:
//!
//! | file | does |
//! |---|---|
//! | `form` | knows the marks |
//! | `bare` | knows a call without marks by its first characters |
//! | `block` | collects everything up to the end of a block, while it arrives |
//! | `items`, `elements`, `python`, `loose` | read the calls of a block that is over |
//! | `quoted` | finds the calls in a text of others |
//!
//! A mark in code or in a quotation is text. Everywhere else it never is, whether or not a call can be read behind it. Whether
//! a call is one (a tool that was offered or that a search finds, arguments that are valid, not copied from somebody's text) is decided by
//! [`Toolbox`](crate::Toolbox).

mod bare;
mod block;
mod elements;
mod form;
mod items;
mod loose;
mod python;
mod quoted;
mod written;

#[cfg(test)]
mod loose_tests;

pub(crate) use bare::{Bare, Place, opening};
#[cfg(test)]
pub(crate) use form::marks;

pub(crate) use block::{Block, BlockStep};
pub(crate) use form::{BARE, Form, HARMONY, Mark, Seen, Start, TOOL_CODE, is_half_a_mark, mark, start_of};
pub(crate) use loose::value;
pub use loose::{Ending, mend_object};
pub(crate) use quoted::calls_within;
pub use written::WrittenCall;
