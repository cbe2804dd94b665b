//! A pure codec between what a model wrote and text, reasoning and calls.
//!
//! A model writes one stream of characters. Some of them are its answer, some are its thinking, some are marks that its
//! chat template should have swallowed. Servers separate them well, badly or not at all, so the separation is done here
//! once more, for every route alike:
//!
//! - [`ReasoningSplitter`] takes the stream piece by piece and says which part is [`Split::Text`], which is
//!   [`Split::Reasoning`], and which is a [`Split::Call`]. It knows the tags of all common families, Harmony channels with and without their marks, tags
//!   that were never opened or never closed, and leaves code in the answer alone.
//! - [`Toolbox`] says whether a call is one: of a tool that was offered, with arguments that [`fit`] its schema, and not copied from
//!   a foreign text.
//! - [`tell`] puts tools, calls and results into words, for a model whose server takes none of them. [`call_grammar`] and [`call_schema`]
//!   say what such a model may write, for a server that can hold it to a form; [`Envelope`] takes the words out of that.
//! - [`neutralise`] makes the special tokens of a template family harmless in text that is not ours, before it is put
//!   into a prompt.
//! - [`RepetitionGuard`] notices a model that has begun to repeat itself without end.
//! - [`strip_end_tokens`] and [`cut_at_control_token`] clean short texts that arrive whole (a title, the name of a function).
//!
//! Everything is deterministic and does no I/O. The streaming types give the same result however the input is cut into
//! pieces; what each of them keeps back, and what happens to it at the end of the input, is written at the type.

mod aliases;
mod callable;
mod calls;
mod code;
mod decoded;
mod digits;
mod emitter;
mod envelope;
mod fit;
mod grammar;
mod harmony;
mod mould;
mod reader;
mod repetition;
mod schema;
mod special;
mod splitter;
mod telling;
mod token;
mod toolbox;

#[cfg(test)]
mod aliases_tests;
#[cfg(test)]
mod callable_tests;
#[cfg(test)]
mod calls_tests;
#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod digits_tests;
#[cfg(test)]
mod envelope_tests;
#[cfg(test)]
mod fit_tests;
#[cfg(test)]
mod mould_tests;
#[cfg(test)]
mod repetition_tests;
#[cfg(test)]
mod special_tests;
#[cfg(test)]
mod splitter_tests;
#[cfg(test)]
mod telling_tests;
#[cfg(test)]
mod toolbox_tests;

pub use calls::{Ending, WrittenCall, mend_object};
pub use envelope::Envelope;
pub use fit::fit;
pub use grammar::call_grammar;
pub use mould::call_schema;
pub use repetition::{Repetition, RepetitionGuard};
pub use schema::{Misfit, check};
pub use special::{cut_at_control_token, neutralise, strip_end_tokens};
pub use splitter::{HOLD_LIMIT, OrphanPolicy, ReasoningSplitter, Split};
pub use telling::{Telling, tell, tools_in_words};
pub use toolbox::{Fitting, Toolbox};
