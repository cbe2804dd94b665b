//! Keeps secrets out of everything that is shown, logged, stored or sent.
//!
//! Two nets, because each has holes. The known secrets are searched for as they are and in the dresses that servers and models
//! put on them: percent-encoded, escaped in JSON, in base64 (also in the middle of something longer), in hex, in the other case, backwards, spread out by blanks and dashes. What merely
//! looks like a secret (`Bearer …`, `sk-…`, `api_key=…`, a password in a URL) is caught by its shape, since some servers quote the
//! key of somebody else: a proxy reports the key of the upstream that refused it.
//!
//! Messages of servers go through both ([`Redactor::redact`]). What a model reads goes through the first alone
//! ([`Redactor::hide`]): a file that it is to change must not lose what only looks like a secret.
//!
//! An answer that comes in pieces goes through a [`Veil`].
//!
//! Secrets become known at the start, from the configuration ([`Redactor::register`]), and when a file is seen that is made to hold
//! them, `.env` and its like ([`secrets_in`], [`Redactor::learn`]). Anybody may have written such a file: no word becomes a secret by it,
//! and no number of them makes the search slow.

mod assignments;
mod dresses;
mod files;
mod finder;
mod redactor;
mod shapes;
mod squeeze;
mod values;
mod veil;

#[cfg(test)]
mod files_tests;
#[cfg(test)]
mod redactor_tests;
#[cfg(test)]
mod veil_tests;

pub use files::{holds_secrets, secrets_in};
pub use redactor::{HIDDEN, Redactor};
pub use veil::Veil;
