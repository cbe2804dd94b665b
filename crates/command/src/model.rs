//! `/model`: which model this session talks to.

use krabba_agent::{AgentError, Change, Input};
use krabba_route::{Ask, Candidate, ResolveError, Resolved};

use crate::execute::{Context, Effect, Reply};
use crate::parse::{ModelWish, behind_alias};
use crate::{models, report};

pub(crate) async fn execute(wish: &ModelWish, context: &Context<'_>) -> Result<Reply, AgentError> {
    match wish {
        ModelWish::Show => show(context).await.map(Reply::text),
        ModelWish::Status => {
            let current = show(context).await?;
            Ok(Reply::text(format!("{current}\n\n{}", models::providers(context))))
        }
        ModelWish::Default => {
            context.lane.change(Change::Model { reference: None, profile: None }).await?;
            show(context).await.map(Reply::text)
        }
        ModelWish::Use { name, message } => choose(name, message.as_deref(), context).await,
    }
}

/// One line for who answers, one for each that stands behind.
async fn show(context: &Context<'_>) -> Result<String, AgentError> {
    let plan = context.lane.plan().await?;
    let mut lines = Vec::new();
    match plan.candidates.split_first() {
        Some((first, rest)) => {
            lines.push(format!("model: {}", described(first)));
            lines.extend(rest.iter().map(|next| format!("- then {}", described(next))));
        }
        None => lines.push("no model can be asked".to_owned()),
    }
    lines.extend(plan.refused.iter().map(|refused| format!("- not {}: {}", refused.reference, refused.why)));
    lines.push("switch with /model NAME, see /models for names, go back with /model default".to_owned());
    Ok(lines.join("\n"))
}

fn described(candidate: &Candidate) -> String {
    format!("`{}` ({}, {}, {})", candidate.reference, candidate.why, candidate.residency, report::state_name(candidate.state))
}

/// Switches, or asks once.
async fn choose(name: &str, message: Option<&str>, context: &Context<'_>) -> Result<Reply, AgentError> {
    let (name, message) = match message {
        Some(message) => (name, Some(message)),
        None => split(name, context),
    };
    let resolved = match context.router.resolve_with_profile(name) {
        Ok(resolved) => resolved,
        Err(error) => return Ok(unresolved(&error)),
    };
    let candidate = match admitted(&resolved, context).await? {
        Ok(candidate) => candidate,
        Err(refusal) => return Ok(Reply::text(refusal)),
    };
    match message {
        Some(message) => {
            let input = Input { model: Some(resolved.reference), ..Input::text(message) };
            Ok(Reply::with("", Effect::Ask(Box::new(input))))
        }
        None => switch(resolved, &candidate, context).await,
    }
}

/// A name, and the message that may stand behind it. An alias may hold spaces, an id does not.
fn split<'a>(text: &'a str, context: &Context<'_>) -> (&'a str, Option<&'a str>) {
    let aliases = context.router.aliases();
    let behind = aliases.iter().filter_map(|(alias, _)| behind_alias(text, alias)).min_by_key(|behind| behind.len());
    let (name, rest) = match behind {
        Some(behind) => (text.strip_suffix(behind).unwrap_or(text).trim_end_matches(':'), behind),
        None => match text.split_once(char::is_whitespace) {
            Some((word, rest)) if context.router.resolve(word).is_ok() => (word, rest),
            Some(_) | None => (text, ""),
        },
    };
    let rest = rest.trim();
    (name, (!rest.is_empty()).then_some(rest))
}

fn unresolved(error: &ResolveError) -> Reply {
    let ResolveError::Unknown { text, closest } = error else { return Reply::text(error.to_string()) };
    let hint = match closest.as_slice() {
        [] => "; ".to_owned(),
        names => format!("; did you mean {}? ", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")),
    };
    Reply::text(format!("there is no model \"{text}\"{hint}/models lists what there is"))
}

/// Whether this session may ask the model at all: the refusal names the line of the configuration that says no.
async fn admitted(resolved: &Resolved, context: &Context<'_>) -> Result<Result<Candidate, String>, AgentError> {
    let residency = context.lane.view().await?.settings.residency();
    let ask = Ask { model: Some(resolved.reference.clone()), residency, ..Ask::new(context.agent.id().clone()) };
    let mut plan = context.router.plan(&ask);
    if let Some(index) = plan.candidates.iter().position(|candidate| candidate.reference == resolved.reference) {
        return Ok(Ok(plan.candidates.swap_remove(index)));
    }
    let why = plan.refused.into_iter().next().map_or_else(|| "it cannot be asked".to_owned(), |refused| refused.why);
    Ok(Err(format!("cannot switch to `{}`: {why}", resolved.reference)))
}

/// Choosing the configured model ends the session's own choice, so that a later change of the configuration counts.
async fn switch(resolved: Resolved, candidate: &Candidate, context: &Context<'_>) -> Result<Reply, AgentError> {
    let configured = context.router.plan(&Ask::new(context.agent.id().clone()));
    let is_configured = configured.wanted.as_ref() == Some(&resolved.reference) && resolved.profile.is_none();
    let reference = (!is_configured).then(|| resolved.reference.clone());
    context.lane.change(Change::Model { reference, profile: resolved.profile.clone() }).await?;

    let mut line = format!("model: `{}`", resolved.reference);
    if let Some(profile) = &resolved.profile {
        line.push_str(&format!(" with the key \"{profile}\""));
    }
    if is_configured {
        line.push_str(" (as configured)");
    }
    line.push_str(&format!(", {}", report::state_name(candidate.state)));
    if candidate.residency.leaves_home() {
        line.push_str(&format!("\nit is {}: this conversation leaves your own machines", candidate.residency));
    }
    Ok(Reply::text(line))
}
