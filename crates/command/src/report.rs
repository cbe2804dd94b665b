//! What a person sees of a session: `/status`, `/context`, `/sessions`, and what `/compact` did.

use std::time::Duration;

use krabba_agent::{AgentError, Compacted, ContextRecord, Counted, EndRecord, Inspection, Outcome, SessionView, Sizes};
use krabba_route::Plan;
use krabba_store::Session;
use krabba_types::{RouteFacts, RouteState, Timestamp, grouped, seconds, signed, speed};

use crate::execute::Context;

/// How many sessions are listed.
const SESSIONS: usize = 15;

/// `/status`.
pub(crate) async fn status(context: &Context<'_>) -> Result<String, AgentError> {
    let view = context.lane.view().await?;
    let plan = context.lane.plan().await?;
    let mut lines = model_lines(&plan, context);
    lines.extend(last_prompt(&view).map(|line| format!("- context: {line}")));
    lines.push(thinking_line(&view, context));
    lines.push(format!("- a turn ends at: {}", context.agent.hands().limits));
    lines.push(queue_line(&view, &plan, context));
    lines.extend(view.last_end.as_ref().and_then(last_line));
    lines.push(session_line(&view, context));
    Ok(lines.join("\n"))
}

fn model_lines(plan: &Plan, context: &Context<'_>) -> Vec<String> {
    let Some(first) = plan.candidates.first() else {
        let mut lines = vec!["- model: none can be asked".to_owned()];
        lines.extend(plan.refused.iter().map(|refused| format!("- not {}: {}", refused.reference, refused.why)));
        return lines;
    };
    let facts = context.router.facts(context.agent.id(), &first.reference);
    let mut lines = vec![
        format!("- model: `{}` ({}), {}", first.reference, first.why, state_name(first.state)),
        format!("- endpoint: {} ({}, {})", first.endpoint, facts.server.name(), first.residency),
        window_line(&facts),
    ];
    lines.extend(plan.candidates.get(1).map(|next| format!("- then: `{}` ({}), {}", next.reference, next.residency, next.why)));
    if context.router.leads_away(plan) {
        lines.push(format!("- may go as far as: {}", plan.policy));
    }
    lines
}

fn window_line(facts: &RouteFacts) -> String {
    let mut line = format!("- window: {}", facts.window.tokens());
    if let Some(max) = facts.max_window.filter(|max| max.value > facts.window.value) {
        line.push_str(&format!(", the model could have {}", grouped(max.value)));
    }
    line
}

/// What the last answer's prompt took of the window, and what of it the server had to read anew.
fn last_prompt(view: &SessionView) -> Option<String> {
    let record: ContextRecord = view.last_end.as_ref()?.context?;
    let prompt = record.prompt_tokens?;
    let mut line = format!("{} tokens", grouped(prompt));
    if let Some(window) = record.window.filter(|window| *window > 0) {
        line.push_str(&format!(" ({} %", prompt.saturating_mul(100) / u64::from(window)));
        line.push_str(match record.counted {
            Counted::Measured => ", measured)",
            Counted::Estimated => ", estimated)",
        });
    }
    if let Some(cached) = record.cached_tokens {
        line.push_str(&format!("; {} out of the cache, {} read anew", grouped(cached), grouped(prompt.saturating_sub(cached))));
    }
    Some(line)
}

fn thinking_line(view: &SessionView, context: &Context<'_>) -> String {
    let level = match view.settings.thinking {
        Some(level) => level.to_string(),
        None => format!("{} (as configured)", context.agent.thinking()),
    };
    let shown = if view.settings.shows_reasoning { "shown" } else { "not shown" };
    format!("- thinking: {level}, {shown}")
}

fn queue_line(view: &SessionView, plan: &Plan, context: &Context<'_>) -> String {
    let (busy, waiting) = plan.candidates.first().map_or((0, 0), |first| context.router.occupancy(&first.reference.provider));
    let here = match view.active.len() {
        0 => "nothing is being answered here".to_owned(),
        1 => "one answer is coming here".to_owned(),
        turns => format!("one answer is coming here, {} wait", turns.saturating_sub(1)),
    };
    format!("- queue: {here}; at the model's box {busy} run, {waiting} wait")
}

fn last_line(end: &EndRecord) -> Option<String> {
    let how = match &end.outcome {
        Outcome::Answered(_) => "answered",
        Outcome::Failed(fault) => return Some(format!("- last turn: failed: {fault}")),
        Outcome::Stopped => return Some("- last turn: stopped".to_owned()),
        Outcome::Steered => return Some("- last turn: went on with your next message".to_owned()),
        Outcome::Interrupted => return Some("- last turn: interrupted when krabba was ended".to_owned()),
        Outcome::Broken(why) => return Some(format!("- last turn: {why}")),
    };
    let by = end.attempts.last()?;
    let mut line = format!("- last turn: {how} by `{}` ({}) in {}", by.reference, by.residency, ms(end.timing.total_ms));
    if let Some(first) = end.timing.first_token_ms {
        line.push_str(&format!(", first token after {}", ms(first)));
    }
    if let Some(written) = end.usage.writing_speed(end.timing.first_token_ms, Some(by.ms)) {
        line.push_str(&format!(", {}", speed(written)));
    }
    if end.timing.queued_ms > 0 {
        line.push_str(&format!(", {} in queues", ms(end.timing.queued_ms)));
    }
    Some(line)
}

fn session_line(view: &SessionView, context: &Context<'_>) -> String {
    match &view.session {
        Some(session) => format!("- session: {}, {}, begun {}", titled(session), turns(view.turns), ago(session.created_at, context.now)),
        None => format!("- session: {} (nothing said yet)", context.lane.id()),
    }
}

/// `/context`: every part of the prompt that would be sent now.
pub(crate) async fn context(context: &Context<'_>) -> Result<String, AgentError> {
    let Some(inspection) = context.lane.inspect().await? else {
        return Ok("no model can be asked, so that no prompt is made; /model says why".to_owned());
    };
    let last = last_prompt(&context.lane.view().await?).map(|line| format!("\n- at the last answer: {line}"));
    Ok(itemised(&inspection) + &last.unwrap_or_default())
}

fn itemised(inspection: &Inspection) -> String {
    let window = inspection.window;
    let share = u64::from(inspection.estimate).saturating_mul(100) / u64::from(window.value.max(1));
    let mut lines = vec![format!(
        "the prompt for `{}`: about {} of {} tokens ({share} %), window: {}",
        inspection.reference,
        grouped(inspection.estimate),
        grouped(window.value),
        window.source,
    )];
    lines.extend(inspection.items.iter().map(|item| {
        format!("- {}: {} ({} bytes)", item.name, grouped(item.tokens), grouped(u64::try_from(item.bytes).unwrap_or(u64::MAX)))
    }));
    lines.extend((inspection.around != 0).then(|| format!("- around them: {}", signed(inspection.around))));
    lines.extend(inspection.cut.as_ref().map(|cut| format!("- to fit, it would {cut}")));
    lines.extend(inspection.problem.as_ref().map(|problem| format!("- it cannot be sent: {problem}")));
    lines.extend(inspection.left_out.iter().map(|line| format!("- {line}")));
    lines.extend(inspection.off.iter().map(|(tool, place)| format!("- without the tool {tool}: off by {place}")));
    lines.join("\n")
}

/// What `/compact` did.
pub fn compacted(compacted: &Compacted) -> String {
    let smaller = |sizes: &Sizes| format!("about {} tokens instead of {}", grouped(sizes.after), grouped(sizes.before));
    match compacted {
        Compacted::NothingToCut => "nothing to leave out: the conversation is short".to_owned(),
        Compacted::NoModel => "no model can be asked, so that nothing is to be made smaller; /model says why".to_owned(),
        Compacted::Stopped => "stopped; what was noted until then is kept".to_owned(),
        Compacted::Noted(sizes) => {
            format!("a note stands for {} older messages now: {}. Nothing is deleted", sizes.messages, smaller(sizes))
        }
        Compacted::Cut(sizes, why) => format!(
            "{} older messages are left out of the prompt now, without a note of them ({why}): {}. Nothing is deleted",
            sizes.messages,
            smaller(sizes)
        ),
        Compacted::Unnoted(why) => format!("no note was made of older messages: {why}"),
    }
}

/// `/sessions`.
pub(crate) async fn sessions(context: &Context<'_>) -> Result<String, AgentError> {
    let sessions = context.agent.sessions().await?;
    if sessions.is_empty() {
        return Ok("no conversations yet".to_owned());
    }
    let mut lines: Vec<String> = sessions
        .iter()
        .take(SESSIONS)
        .map(|session| {
            let here = if session.id == *context.lane.id() { " (this one)" } else { "" };
            format!("- {}, {}{here}", titled(session), ago(session.updated_at, context.now))
        })
        .collect();
    if sessions.len() > SESSIONS {
        lines.push(format!("and {} older ones: krabba sessions list", sessions.len() - SESSIONS));
    }
    lines.push("go on in one: krabba chat --session-id ID".to_owned());
    Ok(lines.join("\n"))
}

fn titled(session: &Session) -> String {
    match &session.title {
        Some(title) => format!("`{}` \"{title}\"", session.id),
        None => format!("`{}`", session.id),
    }
}

fn turns(count: usize) -> String {
    if count == 1 { "1 turn".to_owned() } else { format!("{count} turns") }
}

/// What a route is doing, in a word for people.
pub(crate) fn state_name(state: RouteState) -> &'static str {
    match state {
        RouteState::Unknown => "state not known",
        RouteState::Cold => "not loaded",
        RouteState::Loading => "loading",
        RouteState::Ready => "ready",
        RouteState::Busy => "busy",
        RouteState::RateLimited { .. } => "rate limited",
        RouteState::AuthFailed => "key refused",
        RouteState::Down { .. } => "not answering",
    }
}

fn ms(milliseconds: u64) -> String {
    seconds(Duration::from_millis(milliseconds))
}

fn ago(then: Timestamp, now: Timestamp) -> String {
    let minutes = now.since(then).as_secs() / 60;
    match minutes {
        0 => "just now".to_owned(),
        1..=119 => format!("{minutes} min ago"),
        120..=2879 => format!("{} hours ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1440),
    }
}
