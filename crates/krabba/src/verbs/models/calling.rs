//! How the model of a route calls tools: tried, not asked.
//!
//! Three ways are tried, the best first. With `tools` a call must come back, whoever reads it out of the answer. Held to a form, a
//! model that is asked for words must call all the same, or nobody holds it. In words it must write a call that can be read.

use std::sync::Arc;

use futures_util::StreamExt;
use krabba_route::{Prepared, Prompt, RouteEvent, Surface, TooLarge};
use krabba_types::{
    Aliases, CallChannel, Calling, FaultKind, Message, ModelEvent, ModelRef, ModelRequest, Params, Role, RouteFacts, Thinking, ToolAbility,
    ToolSpec, Wanted,
};
use serde_json::json;

use super::probe::only;
use crate::assemble::World;

/// A small model misses once.
const TRIES: u32 = 2;
/// Enough for a thought and a call.
const BUDGET: u32 = 512;

/// How it calls tools; `None` when it did not answer, so that nothing is known.
pub(super) async fn measure(world: &World, reference: &ModelRef) -> Option<ToolAbility> {
    for ability in [ToolAbility::Native, ToolAbility::Constrained, ToolAbility::Text] {
        for _ in 0..TRIES {
            if calls(world, reference, ability).await? {
                return Some(ability);
            }
        }
    }
    Some(ToolAbility::None)
}

/// Whether a call comes in this way; `None` when nothing came.
async fn calls(world: &World, reference: &ModelRef, ability: ToolAbility) -> Option<bool> {
    let plan = only(world, reference).ok()?;
    let mut run = world.router.run(plan, Arc::new(Task(ability)), Surface { can_retract: true });
    let mut called = false;
    while let Some(event) = run.next().await {
        match event {
            RouteEvent::Model(ModelEvent::ToolCall(call)) => {
                called |= ability != ToolAbility::Constrained || call.channel == CallChannel::Constrained;
            }
            RouteEvent::End(end) => {
                return match end.outcome.map_err(|fault| fault.kind) {
                    Ok(_) => Some(called),
                    Err(
                        FaultKind::Unsupported { .. }
                        | FaultKind::BadRequest
                        | FaultKind::Malformed
                        | FaultKind::Unparsed
                        | FaultKind::Truncated
                        | FaultKind::Empty
                        | FaultKind::OnlyReasoning
                        | FaultKind::Looping
                        | FaultKind::Overflow { .. },
                    ) => Some(false),
                    Err(_) => None,
                };
            }
            RouteEvent::Model(_) | RouteEvent::Attempt(_) | RouteEvent::Restarted { .. } | RouteEvent::Notice(_) => {}
        }
    }
    None
}

/// A task for a tool, in one way of calling.
struct Task(ToolAbility);

impl Prompt for Task {
    // A route that was refused one way is asked in that way again: what comes then is its fault, and no other way's success.
    fn request(&self, reference: &ModelRef, facts: &RouteFacts) -> Result<Prepared, TooLarge> {
        let window = facts.window.value;
        let (words, wanted) = match self.0 {
            ToolAbility::Constrained => ("Reply with OK.", Wanted::Call),
            ToolAbility::Native | ToolAbility::Text | ToolAbility::None => {
                ("Use the tool \"read\" to read the file \"krabba.txt\".", Wanted::AnswerOrCall)
            }
        };
        if window < BUDGET {
            return Err(TooLarge { needed: BUDGET, window });
        }
        let parameters = json!({ "type": "object", "properties": { "path": { "type": "string", "maxLength": 40 } }, "required": ["path"] });
        let tool = ToolSpec {
            name: "read".to_owned(),
            description: "Reads a file.".to_owned(),
            parameters: parameters.as_object().cloned().unwrap_or_default(),
            aliases: Aliases::default(),
        };
        let request = ModelRequest {
            model: reference.model.clone(),
            messages: vec![Message::text(Role::User, words)],
            tools: vec![tool],
            calling: Calling { mode: self.0, wanted, ..Calling::default() },
            max_output_tokens: Some(BUDGET),
            thinking: Thinking::Off,
            params: Params::default(),
        };
        Ok(Prepared { request, estimate: 128, cut: None })
    }
}
