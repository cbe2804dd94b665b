//! The conversation, as the router sees it: something that becomes a request once it is known for which window.

use krabba_types::{ModelRef, ModelRequest, RouteFacts, grouped};

/// Makes requests. Asked anew for every route, because windows, pictures and chat templates differ; and again with a
/// smaller window after an overflow.
pub trait Prompt: Send + Sync {
    /// The request for this route.
    ///
    /// # Errors
    /// When the conversation cannot be made to fit the window.
    fn request(&self, reference: &ModelRef, facts: &RouteFacts) -> Result<Prepared, TooLarge>;
}

/// A request with its size.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// What to send.
    pub request: ModelRequest,
    /// Tokens of the prompt, estimated.
    pub estimate: u32,
    /// One line about what had to be left out, for the person.
    pub cut: Option<String>,
}

/// The conversation does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the prompt needs about {} tokens, and the window has {}", grouped(*.needed), grouped(*.window))]
pub struct TooLarge {
    /// Tokens of the smallest prompt that still makes sense, estimated.
    pub needed: u32,
    /// Tokens that there are.
    pub window: u32,
}
