//! How far one turn may go, and who said so.

use krabba_agent::Limits;
use krabba_config::{Agent, Loaded, Step, TurnLimits};
use serde::Serialize;

use super::origin::{origin, path};

/// A limit, for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LimitRow {
    /// Which.
    pub(crate) name: &'static str,
    /// `None` where there is none.
    pub(crate) limit: Option<u64>,
    /// Who set it.
    pub(crate) source: String,
}

/// The limits of an agent.
pub(crate) fn limits(loaded: &Loaded, agent: Option<&Agent>) -> Limits {
    let usual = Limits::default();
    let own = agent.map(|agent| agent.options.limits).unwrap_or_default();
    let all = loaded.config.agents.defaults.limits;
    Limits {
        steps: own.steps.or(all.steps).unwrap_or(usual.steps),
        output_tokens: own.output_tokens.or(all.output_tokens).or(usual.output_tokens),
        seconds: own.seconds.or(all.seconds).or(usual.seconds),
        ..usual
    }
}

/// The same, each with where it was written.
pub(crate) fn rows(loaded: &Loaded, agent: Option<&Agent>) -> [LimitRow; 3] {
    let Limits { steps, output_tokens, seconds, result_bytes: _ } = limits(loaded, agent);
    let own = agent.map(|agent| agent.options.limits).unwrap_or_default();
    let all = loaded.config.agents.defaults.limits;
    let row = |name, limit, key, says: fn(&TurnLimits) -> bool| {
        let at = match agent.filter(|_| says(&own)).and_then(|agent| loaded.agent_key(&agent.id)) {
            Some(at) => Some(at),
            None => says(&all).then(|| path(["agents", "defaults"])),
        };
        let source = match at {
            Some(mut at) => {
                ["limits", key].into_iter().for_each(|key| at.push(Step::Key(key.to_owned())));
                origin(loaded, &at)
            }
            None => "default".to_owned(),
        };
        LimitRow { name, limit, source }
    };
    [
        row("steps", Some(steps.into()), "steps", |limits| limits.steps.is_some()),
        row("tokens written", output_tokens, "outputTokens", |limits| limits.output_tokens.is_some()),
        row("seconds", seconds, "seconds", |limits| limits.seconds.is_some()),
    ]
}
