//! All models that can be named, for `models list` and its relatives.

use krabba_types::{ModelRef, Residency, RouteState};
use serde::Serialize;

use crate::order::effective_residency;
use crate::router::Inner;
use crate::settings::Provider;

/// A model that can be named.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedModel {
    /// `provider/id`.
    pub reference: ModelRef,
    /// For people.
    pub name: Option<String>,
    /// Aliases of it.
    pub aliases: Vec<String>,
    /// Its base URL.
    pub endpoint: String,
    /// How far a conversation travels to get there.
    pub residency: Residency,
    /// What it is doing.
    pub state: RouteState,
    /// Who says that it exists.
    pub known_by: KnownBy,
    /// The variable to set before it can be used.
    pub missing_key: Option<String>,
}

/// Who says that a model exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownBy {
    /// The user's file.
    Configuration,
    /// Its server.
    Server,
    /// The built-in catalogue.
    Catalogue,
}

pub(crate) fn list(inner: &Inner) -> Vec<ListedModel> {
    let aliases = inner.names.aliases();
    let mut listed = Vec::new();
    for provider in &inner.settings.providers {
        let known_by = if provider.builtin { KnownBy::Catalogue } else { KnownBy::Configuration };
        for entry in &provider.models {
            let reference = ModelRef::new(provider.id.clone(), entry.id.clone());
            listed.push(entry_of(inner, provider, reference, entry.name.clone(), known_by, &aliases));
        }
        let Some(report) = inner.report(provider) else { continue };
        for model in report.models.iter().filter(|model| !model.abilities.embedding && provider.entry(&model.id).is_none()) {
            let reference = ModelRef::new(provider.id.clone(), model.id.clone());
            listed.push(entry_of(inner, provider, reference, None, KnownBy::Server, &aliases));
        }
    }
    listed
}

fn entry_of(
    inner: &Inner,
    provider: &Provider,
    reference: ModelRef,
    name: Option<String>,
    known_by: KnownBy,
    aliases: &[(String, ModelRef)],
) -> ListedModel {
    let report = inner.report(provider);
    ListedModel {
        aliases: aliases.iter().filter(|(_, target)| *target == reference).map(|(name, _)| name.clone()).collect(),
        endpoint: provider.shown_url(),
        residency: effective_residency(provider, &reference, report.as_deref()),
        state: inner.state(&reference),
        missing_key: provider.missing_key.clone().filter(|_| provider.keys.is_empty()),
        reference,
        name,
        known_by,
    }
}
