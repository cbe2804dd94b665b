//! A call as a model wrote it, before anybody asked whether there is such a tool.

use krabba_types::JsonObject;

use super::loose::Ending;

/// A call out of the text of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenCall {
    /// The function that it names, as far as it could be read.
    pub name: Option<String>,
    /// Its arguments; `None` when they, or the whole call, cannot be read.
    pub arguments: Option<JsonObject>,
    /// How it came to its end. A call that was cut off and can be read all the same stood there whole.
    pub ending: Ending,
    /// As it was written.
    pub raw: String,
}
