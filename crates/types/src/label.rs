//! Where content comes from. A label goes wherever its content goes.

use serde::{Deserialize, Serialize};

/// The origin of a piece of content, which decides what it may bring about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Label {
    /// The owner's own words.
    Owner,
    /// Text that ships with krabba.
    System,
    /// Written by a model from content of the owner and the system alone.
    Minted,
    /// Another person who may talk here.
    Guest {
        /// Who, as the channel names them.
        person: String,
    },
    /// Content that somebody else wrote: a page, a file, a tool's result.
    Untrusted {
        /// Where it came from, for display.
        origin: String,
    },
}
