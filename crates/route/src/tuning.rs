//! How a model is used: what its own entry says, and what the agents say about it.
//!
//! From the lowest word to the highest: what holds for every model (`agents.defaults.params`), the model's own entry, what
//! `agents.defaults.models` says of it, what the agent says of every model, what the agent says of this one.

use std::collections::BTreeMap;

use krabba_types::{AgentId, ModelRef, Params};

use crate::settings::{ModelEntry, Settings};

/// What an agent, or the defaults of all agents, say about models.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tuning {
    /// About every model.
    pub every: Knobs,
    /// About single models.
    pub models: BTreeMap<ModelRef, Knobs>,
    /// Tokens that are used of any window; only narrows it.
    pub context_tokens: Option<u32>,
}

/// Sampling and pass-through, and the longest answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Knobs {
    /// Sampling and pass-through.
    pub params: Params,
    /// The longest answer, in tokens.
    pub max_output: Option<u32>,
}

/// What holds for one model and one agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tuned {
    pub(crate) knobs: Knobs,
    pub(crate) context_tokens: Option<u32>,
}

impl Settings {
    /// How `agent` uses a model.
    pub(crate) fn tuned(&self, agent: &AgentId, reference: &ModelRef, entry: Option<&ModelEntry>) -> Tuned {
        let (all, own) = (&self.default.tuning, self.agents.get(agent).map(|selection| &selection.tuning));
        let entry = entry.map(|entry| Knobs { params: entry.params.clone(), max_output: entry.max_output });
        let layers = [
            Some(&all.every),
            entry.as_ref(),
            all.models.get(reference),
            own.map(|own| &own.every),
            own.and_then(|own| own.models.get(reference)),
        ];
        let knobs = layers.into_iter().flatten().fold(Knobs::default(), |lower, upper| Knobs {
            params: over(lower.params, &upper.params),
            max_output: upper.max_output.or(lower.max_output),
        });
        Tuned { knobs, context_tokens: own.and_then(|own| own.context_tokens).or(all.context_tokens) }
    }
}

/// `upper` where it says something, else `lower`.
pub(crate) fn over(lower: Params, upper: &Params) -> Params {
    let mut params = Params {
        temperature: upper.temperature.or(lower.temperature),
        top_p: upper.top_p.or(lower.top_p),
        top_k: upper.top_k.or(lower.top_k),
        min_p: upper.min_p.or(lower.min_p),
        seed: upper.seed.or(lower.seed),
        stop: if upper.stop.is_empty() { lower.stop } else { upper.stop.clone() },
        chat_template_kwargs: lower.chat_template_kwargs,
        extra_body: lower.extra_body,
    };
    params.chat_template_kwargs.extend(upper.chat_template_kwargs.clone());
    params.extra_body.extend(upper.extra_body.clone());
    params
}
