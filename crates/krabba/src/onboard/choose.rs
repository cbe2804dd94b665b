//! From what was found to what is written: two questions at most.

use anyhow::{Context, Result, bail};
use krabba_local::{Report, ServerModel, ServerState};
use krabba_types::ModelId;

use super::entry::{Entry, is_hosted};
use super::find::{Found, describe_model};
use super::question::{line, print_wrapped, says_yes};
use crate::assemble::Home;
use crate::failure::Failure;
use crate::verbs::counted_models;

/// Variables whose presence says that a person has an account, and the model that would be offered for it.
const HOSTED: [(&str, &str, &str); 3] = [
    ("ANTHROPIC_API_KEY", "Anthropic", "anthropic/claude-sonnet-4-5"),
    ("OPENAI_API_KEY", "OpenAI", "openai/gpt-5.2"),
    ("OPENROUTER_API_KEY", "OpenRouter", "openrouter/minimax/minimax-m2.1"),
];

/// More models than a person wants to read.
const MOST_SHOWN: usize = 12;

/// What a first run writes.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// The server, and the model that answers first.
    pub(super) entry: Entry,
    /// Hosted models that may step in.
    pub(super) fallbacks: Vec<String>,
}

/// The recommendation, without asking anything.
///
/// # Errors
/// When it counts as hosted and nobody has named its server: a conversation leaves home only at a person's word.
pub(super) fn silently(found: &Found) -> Result<Choice> {
    let report = found.recommended()?;
    if let (Some(why), false) = (&found.recommendation.hosted, found.named) {
        let (model, url) = (&found.recommendation.model, &report.url);
        let words = format!(
            "the only model that was found is {model} at {url}, and it is not used unasked: {why}. `krabba onboard {url}` is your word for it"
        );
        return Err(Failure::Unserved(words).into());
    }
    Ok(choice(found, report, &found.recommendation.model, Vec::new()))
}

/// One server with the models that it has in memory, whichever is recommended.
pub(super) fn for_server(found: &Found, report: &Report) -> Entry {
    let loaded = report.models.iter().find(|model| model.loaded == Some(true)).or(report.models.first());
    let model = loaded.map_or(&found.recommendation.model, |model| &model.id);
    Entry::new(report, model, found.key.clone(), |_| false)
}

/// Asks which model, and whether a hosted one may step in. Neither is asked where there is nothing to choose.
pub(super) fn ask(home: &Home, found: &Found) -> Result<Choice> {
    let mut offers: Vec<(&Report, &ServerModel)> = Vec::new();
    for report in &found.reports {
        offers.extend(report.models.iter().filter(|model| model.converses()).map(|model| (report, model)));
    }
    let recommended = |offer: &(&Report, &ServerModel)| offer.1.id == found.recommendation.model && offer.0.url == found.recommendation.url;
    offers.sort_by_key(|offer| (!recommended(offer), is_hosted(offer.0, &offer.1.id).is_some(), offer.1.loaded != Some(true)));
    println!("\nFound:");
    found.reports.iter().for_each(|report| print_wrapped(&format!("  {}", describe_server(report))));
    println!("\nModels:");
    for (number, (report, model)) in offers.iter().take(MOST_SHOWN).enumerate() {
        print_wrapped(&format!("  {}. {}", number + 1, describe_model(report, model)));
    }
    if offers.len() > MOST_SHOWN {
        println!("  … and {} more, to be chosen later with /model", offers.len() - MOST_SHOWN);
    }
    println!();
    print_wrapped(&format!("Recommended: 1. {}", found.recommendation.why));
    found.recommendation.warnings.iter().for_each(|warning| print_wrapped(&format!("  note: {warning}")));

    let (report, model) = if offers.len() > 1 { *pick(&offers)? } else { *offers.first().context("no model")? };
    let hosted_reason = is_hosted(report, &model.id);
    if let Some(why) = &hosted_reason {
        if found.recommendation.hosted.as_ref() != Some(why) {
            print_wrapped(&format!("  note: {why}"));
        }
        // Whoever chose among several, or named the server, has said so already.
        if offers.len() == 1 && !found.named && !says_yes("\nTalk to it all the same?")? {
            bail!("no model was chosen; `krabba onboard http://192.168.1.20:1234` takes the address of another server");
        }
    }
    // Whoever was asked for a key was asked enough; the file says how to add a hosted model.
    let fallbacks = if found.key.is_some() { Vec::new() } else { hosted(home)? };
    Ok(choice(found, report, &model.id, fallbacks))
}

/// `LM Studio 0.4.1 at http://localhost:1234/v1, 3 models`.
pub(super) fn describe_server(report: &Report) -> String {
    let version = report.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    format!("{}{version} at {}, {}", report.kind.name(), report.url, offer_of(report))
}

/// How many models a server has to talk to, or why none.
fn offer_of(report: &Report) -> String {
    match &report.state {
        ServerState::NeedsKey | ServerState::KeyRefused => return format!("wants a key: krabba onboard {}", report.url),
        ServerState::Failing { reason } => return reason.clone(),
        ServerState::Up | ServerState::Loading { .. } => {}
    }
    counted_models(report.models.iter().filter(|model| model.converses()).count())
}

fn pick<'a>(offers: &'a [(&'a Report, &'a ServerModel)]) -> Result<&'a (&'a Report, &'a ServerModel)> {
    loop {
        let answer = line("\nWhich one? [1] ")?;
        let number = if answer.is_empty() { Some(1) } else { answer.parse::<usize>().ok() };
        let by_number = number.and_then(|number| offers.get(number.checked_sub(1)?));
        if let Some(offer) = by_number.or_else(|| offers.iter().find(|offer| offer.1.id.as_str() == answer)) {
            return Ok(offer);
        }
        println!("Type a number from 1 to {}, or a model's name.", offers.len());
    }
}

fn hosted(home: &Home) -> Result<Vec<String>> {
    let Some((variable, name, reference)) =
        HOSTED.iter().find(|(variable, _, _)| home.env.get(variable).is_some_and(|key| !key.is_empty()))
    else {
        return Ok(Vec::new());
    };
    println!();
    print_wrapped(&format!("{variable} is set. {reference} could answer when your own server does not."));
    let yes = says_yes(&format!("That conversation would go to {name}. Allow it?"))?;
    Ok(if yes { vec![(*reference).to_owned()] } else { Vec::new() })
}

fn choice(found: &Found, report: &Report, model: &ModelId, fallbacks: Vec<String>) -> Choice {
    Choice { entry: Entry::new(report, model, found.key.clone(), |_| false), fallbacks }
}
