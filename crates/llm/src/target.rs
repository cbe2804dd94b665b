//! Where a call goes.

use std::time::Duration;

use krabba_dialect::Shape;
use krabba_markup::OrphanPolicy;
use krabba_types::{Dialect, ModelRef, Residency, Secret};

/// One route, with all that a call to it needs.
#[derive(Clone, Debug)]
pub struct Target {
    /// The route's name.
    pub route: ModelRef,
    /// The wire format.
    pub dialect: Dialect,
    /// As configured or found; with or without `/v1`.
    pub base_url: String,
    /// Sent under the header that the server wants; none is sent where there is none.
    pub key: Option<Secret>,
    /// Extra headers of the configuration. One that the call would set itself (`authorization`) replaces it.
    pub headers: Vec<(String, Secret)>,
    /// What the server takes.
    pub shape: Shape,
    /// Time for name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// How far the conversation travels.
    pub residency: Residency,
    /// Whether text is held back because the model may close a reasoning block that it never opened.
    pub orphan: OrphanPolicy,
}
