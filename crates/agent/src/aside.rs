//! A model asked about something beside the conversation: nobody watches its answer come.

use std::sync::Arc;

use futures_util::StreamExt as _;
use krabba_route::{Plan, Prompt, RouteEvent, Router, Surface};
use krabba_types::{DoneReason, ModelEvent, ModelRef, Residency};

/// What came of it.
pub(crate) struct Told {
    /// Who answered.
    pub(crate) by: Option<(ModelRef, Residency)>,
    /// Without its thoughts.
    pub(crate) text: String,
    pub(crate) reason: DoneReason,
}

/// Asks; the error says in a line why there is no answer.
pub(crate) async fn aside(router: &Router, plan: Plan, prompt: Arc<dyn Prompt>) -> Result<Told, String> {
    let mut stream = router.run(plan, prompt, Surface { can_retract: true });
    let (mut by, mut text) = (None, String::new());
    while let Some(event) = stream.next().await {
        match event {
            RouteEvent::Attempt(started) => by = Some((started.reference, started.residency)),
            RouteEvent::Model(ModelEvent::Text(piece)) => text.push_str(&piece),
            RouteEvent::Restarted { .. } => text.clear(),
            RouteEvent::End(end) => return end.outcome.map(|reason| Told { by, text, reason }).map_err(|fault| fault.message),
            RouteEvent::Model(_) | RouteEvent::Notice(_) => {}
        }
    }
    Err("the answer broke off".to_owned())
}
