//! `/models`: what there is to choose from.

use krabba_route::{KnownBy, ListedModel, Provider};

use crate::closest::closest;
use crate::execute::Context;
use crate::parse::{ModelsWish, PageSize};
use crate::report;

/// Entries to a page, where nobody says otherwise.
const PAGE: usize = 20;

/// The page of the list that `wish` names.
pub(crate) fn page(wish: &ModelsWish, context: &Context<'_>) -> String {
    let Some(name) = &wish.provider else { return providers(context) };
    let wanted = name.to_lowercase();
    let Some(provider) = context.router.providers().iter().find(|provider| provider.id.as_str() == wanted) else {
        let names = context.router.providers().iter().map(|provider| provider.id.as_str());
        let closest = closest(&wanted, names);
        let hint = if closest.is_empty() { String::new() } else { format!("; did you mean {}?", closest.join(" or ")) };
        let end = if closest.is_empty() { ";" } else { "" };
        return format!("there is no provider \"{name}\"{hint}{end} /models lists them");
    };
    let models: Vec<ListedModel> = context.router.list().into_iter().filter(|model| model.reference.provider == provider.id).collect();
    if models.is_empty() {
        return format!("`{}` names no models: its server at {} lists none, and the configuration neither", provider.id, provider.base_url);
    }
    let size = match wish.size {
        Some(PageSize::All) => models.len(),
        Some(PageSize::Entries(entries)) => entries.max(1),
        None => PAGE,
    };
    let pages = models.len().div_ceil(size);
    let number = wish.page.min(pages);
    let noun = if models.len() == 1 { "model" } else { "models" };
    let mut lines = vec![format!("{} {noun} of `{}`, page {number} of {pages}", models.len(), provider.id)];
    lines.extend(models.iter().skip((number.saturating_sub(1)).saturating_mul(size)).take(size).map(line));
    if number < pages {
        lines.push(format!("more: /models {} {}", provider.id, number + 1));
    }
    lines.join("\n")
}

fn line(model: &ListedModel) -> String {
    let mut line = format!("- `{}`: {}", model.reference, report::state_name(model.state));
    if !model.aliases.is_empty() {
        line.push_str(&format!(", also {}", model.aliases.join(", ")));
    }
    line.push_str(match model.known_by {
        KnownBy::Configuration => "",
        KnownBy::Server => ", listed by the server",
        KnownBy::Catalogue => ", built in",
    });
    if let Some(variable) = &model.missing_key {
        line.push_str(&format!(", needs a key: set {variable}"));
    }
    line
}

/// One line for each provider.
pub(crate) fn providers(context: &Context<'_>) -> String {
    let listed = context.router.list();
    let mut lines: Vec<String> = context
        .router
        .providers()
        .iter()
        .filter(|provider| is_worth_a_line(provider))
        .map(|provider| {
            let count = listed.iter().filter(|model| model.reference.provider == provider.id).count();
            provider_line(provider, count)
        })
        .collect();
    if lines.is_empty() {
        return "no provider is configured; krabba onboard finds the servers on this machine".to_owned();
    }
    lines.push("the models of one: /models PROVIDER".to_owned());
    lines.join("\n")
}

/// Built-in providers without a key are many, and nothing that can be used.
fn is_worth_a_line(provider: &Provider) -> bool {
    !(provider.builtin && provider.keys.is_empty() && provider.missing_key.is_some())
}

fn provider_line(provider: &Provider, count: usize) -> String {
    let key = match (provider.keys.first(), &provider.missing_key) {
        (Some(key), _) => format!("key from {}", key.source),
        (None, Some(variable)) => format!("no key: set {variable}"),
        (None, None) => "no key needed".to_owned(),
    };
    format!(
        "- `{}`: {count} {}, endpoint {}, api {}, {}, {key}",
        provider.id,
        if count == 1 { "model" } else { "models" },
        provider.base_url,
        provider.dialect,
        provider.residency,
    )
}
