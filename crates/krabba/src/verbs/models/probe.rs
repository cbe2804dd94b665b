//! One real token from a route.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::StreamExt;
use krabba_route::{Ask, Attempt, Plan, Prepared, Prompt, RouteEvent, Surface, TooLarge};
use krabba_types::{
    Calling, FaultKind, Message, ModelEvent, ModelRef, ModelRequest, Params, Role, RouteFacts, Thinking, ToolAbility, seconds, speed,
};
use serde::Serialize;

use super::calling::measure;
use crate::assemble::World;

/// A cold model may need this long; whoever asked for a probe waits for it.
const LIMIT: Duration = Duration::from_secs(300);
/// Enough for the shortest word, little for a hosted model's bill.
const BUDGET: u32 = 8;

/// What came of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Probed {
    /// Which route.
    #[serde(rename = "ref")]
    pub(super) reference: ModelRef,
    /// Whether the model wrote anything.
    pub(super) ok: bool,
    /// OpenClaw's word: `ok`, `auth`, `rate_limit`, `billing`, `timeout`, `format`, `no_model`, `unknown`.
    pub(super) status: &'static str,
    /// What went wrong, for a person.
    pub(super) message: Option<String>,
    /// From the request to the first output, waiting in a queue not included.
    pub(super) first_token_ms: Option<u64>,
    /// As the server measured it.
    pub(super) tokens_per_second: Option<f64>,
    /// How it calls tools, where that was tried.
    pub(super) tools: Option<ToolAbility>,
    /// The whole probe.
    pub(super) total_ms: u64,
}

/// A prompt of three words.
struct Ping;

impl Prompt for Ping {
    fn request(&self, reference: &ModelRef, _: &RouteFacts) -> Result<Prepared, TooLarge> {
        let request = ModelRequest {
            model: reference.model.clone(),
            messages: vec![Message::text(Role::User, "Reply with OK.")],
            tools: Vec::new(),
            calling: Calling::default(),
            max_output_tokens: Some(BUDGET),
            thinking: Thinking::Off,
            params: Params::default(),
        };
        Ok(Prepared { request, estimate: 16, cut: None })
    }
}

/// Asks this route, and no other in its place.
pub(super) async fn probe(world: &World, reference: &ModelRef) -> Result<Probed> {
    let plan = only(world, reference)?;
    let mut probed = Probed {
        reference: reference.clone(),
        ok: false,
        status: "unknown",
        message: None,
        first_token_ms: None,
        tokens_per_second: None,
        tools: None,
        total_ms: 0,
    };
    if plan.candidates.is_empty() {
        let refused = plan.refused.iter().find(|refused| refused.reference == reference.to_string());
        probed.message = Some(refused.map_or_else(|| "it may not be asked".to_owned(), |refused| refused.why.clone()));
        return Ok(probed);
    }
    let started = Instant::now();
    let listening = listen(world, plan, &mut probed);
    if tokio::time::timeout(LIMIT, listening).await.is_err() {
        probed.status = "timeout";
        probed.message = Some(format!("no answer within {}", seconds(LIMIT)));
    }
    probed.total_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(probed)
}

/// A plan with this route and no other.
pub(super) fn only(world: &World, reference: &ModelRef) -> Result<Plan> {
    let agent = world.agent(None)?;
    let mut plan = world.router.plan(&Ask { model: Some(reference.clone()), ..Ask::new(agent.id().clone()) });
    plan.candidates.retain(|candidate| candidate.reference == *reference);
    Ok(plan)
}

/// The same, and tries how it calls tools, which is remembered.
pub(super) async fn probe_calling(world: &World, reference: &ModelRef) -> Result<Probed> {
    let mut probed = probe(world, reference).await?;
    if probed.ok {
        probed.tools = tokio::time::timeout(LIMIT, measure(world, reference)).await.ok().flatten();
    }
    if let Some(tools) = probed.tools {
        world.router.remember_tools(reference, tools)?;
    }
    Ok(probed)
}

async fn listen(world: &World, plan: Plan, probed: &mut Probed) {
    let mut run = world.router.run(plan, Arc::new(Ping), Surface { can_retract: true });
    while let Some(event) = run.next().await {
        match event {
            // A model that thinks in spite of being told not to is alive too.
            RouteEvent::Model(ModelEvent::Text(_) | ModelEvent::Reasoning(_)) => probed.ok = true,
            RouteEvent::End(end) => {
                probed.first_token_ms = end.timing.first_token_ms;
                probed.tokens_per_second = end.usage.output_per_second;
                match end.outcome {
                    Ok(_) => probed.ok = true,
                    Err(fault) if !probed.ok => {
                        probed.status = word(&fault.kind);
                        let attempted: Option<&Attempt> = end.attempts.last();
                        probed.message = Some(attempted.and_then(|attempt| attempt.fault.as_ref()).unwrap_or(&fault).message.clone());
                    }
                    Err(_) => {}
                }
            }
            RouteEvent::Attempt(_) | RouteEvent::Model(_) | RouteEvent::Restarted { .. } | RouteEvent::Notice(_) => {}
        }
    }
    if probed.ok {
        probed.status = "ok";
    }
}

fn word(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Auth => "auth",
        FaultKind::RateLimited => "rate_limit",
        FaultKind::Billing => "billing",
        FaultKind::Stalled | FaultKind::Unreachable | FaultKind::Loading | FaultKind::Busy => "timeout",
        FaultKind::Unsupported { .. } | FaultKind::BadRequest | FaultKind::Malformed | FaultKind::Unparsed | FaultKind::Overflow { .. } => {
            "format"
        }
        FaultKind::NoSuchModel => "no_model",
        FaultKind::Overloaded
        | FaultKind::ContentPolicy
        | FaultKind::Truncated
        | FaultKind::Empty
        | FaultKind::OnlyReasoning
        | FaultKind::Looping
        | FaultKind::Cancelled => "unknown",
    }
}

impl Probed {
    /// One line for a person.
    pub(super) fn line(&self) -> String {
        if !self.ok {
            return format!("{:<42} {}: {}", self.reference.to_string(), self.status, self.message.as_deref().unwrap_or("no answer"));
        }
        let first = self.first_token_ms.map_or_else(|| "-".to_owned(), |ms| seconds(Duration::from_millis(ms)));
        let fast = self.tokens_per_second.map_or_else(|| "speed not told".to_owned(), speed);
        let tools = self.tools.map_or_else(String::new, |tools| format!(", tools {}", tools.name()));
        format!("{:<42} ok, first token after {first}, {fast}{tools}", self.reference.to_string())
    }
}
