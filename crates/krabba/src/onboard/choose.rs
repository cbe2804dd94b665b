//! From what was found to what is written: two questions at most.

use std::io::{IsTerminal, Write, stdin, stdout};

use anyhow::{Context, Result};
use krabba_local::{Report, ServerModel, ServerState};
use krabba_types::{Dialect, ModelId, Secret, ServerKind};

use super::config_text::Choice;
use super::find::{Found, describe_model};
use crate::assemble::Home;
use crate::terminal::wrapped_lines;

/// Variables whose presence says that a person has an account, and the model that would be offered for it.
const HOSTED: [(&str, &str, &str); 3] = [
    ("ANTHROPIC_API_KEY", "Anthropic", "anthropic/claude-sonnet-4-5"),
    ("OPENAI_API_KEY", "OpenAI", "openai/gpt-5.2"),
    ("OPENROUTER_API_KEY", "OpenRouter", "openrouter/minimax/minimax-m2.1"),
];

/// More models than a person wants to read.
const MOST_SHOWN: usize = 12;

/// The recommendation, without asking anything and without any hosted model.
pub(super) fn silently(_home: &Home, found: &Found) -> Result<Choice> {
    let report = report_of(found)?;
    Ok(choice(found, report, &found.recommendation.model, Vec::new()))
}

/// One server with the models that it has in memory, whichever is recommended.
pub(super) fn for_server(found: &Found, report: &Report) -> Choice {
    let loaded = report.models.iter().find(|model| model.loaded == Some(true)).or(report.models.first());
    let model = loaded.map_or_else(|| found.recommendation.model.clone(), |model| model.id.clone());
    choice(found, report, &model, Vec::new())
}

/// Asks which model, and whether a hosted one may step in. Neither is asked where there is nothing to choose.
pub(super) fn ask(home: &Home, found: &Found) -> Result<Choice> {
    let mut offers: Vec<(&Report, &ServerModel)> = Vec::new();
    for report in &found.reports {
        offers.extend(report.models.iter().filter(|model| !model.abilities.embedding).map(|model| (report, model)));
    }
    let recommended = |offer: &(&Report, &ServerModel)| offer.1.id == found.recommendation.model && offer.0.url == found.recommendation.url;
    offers.sort_by_key(|offer| (!recommended(offer), offer.1.loaded != Some(true)));
    println!("\nFound:");
    for report in &found.reports {
        let version = report.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        print_wrapped(&format!("  {}{version} at {}, {}", report.kind.name(), report.url, offer_of(report)));
    }
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
    // Whoever was asked for a key was asked enough; the file says how to add a hosted model.
    let fallbacks = if found.key.is_some() { Vec::new() } else { hosted(home)? };
    Ok(choice(found, report, &model.id, fallbacks))
}

/// How many models a server has to talk to, or why none.
fn offer_of(report: &Report) -> String {
    match &report.state {
        ServerState::NeedsKey | ServerState::KeyRefused => return format!("wants a key: krabba onboard {}", report.url),
        ServerState::Failing { reason } => return reason.clone(),
        ServerState::Up | ServerState::Loading { .. } => {}
    }
    match report.models.iter().filter(|model| !model.abilities.embedding).count() {
        1 => "1 model".to_owned(),
        count => format!("{count} models"),
    }
}

/// Prints a line in rows that end between words.
fn print_wrapped(text: &str) {
    let columns = crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns));
    wrapped_lines(text, columns, 4).iter().for_each(|row| println!("{row}"));
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
    let answer = line(&format!("That conversation would go to {name}. Allow it? [y/N] "))?;
    let yes = matches!(answer.to_lowercase().as_str(), "y" | "yes" | "j" | "ja");
    Ok(if yes { vec![(*reference).to_owned()] } else { Vec::new() })
}

/// Reads a key without showing it. `None` where nobody can be asked, or nothing was typed.
pub(super) fn ask_key(question: &str) -> Result<Option<Secret>> {
    if !stdin().is_terminal() {
        return Ok(None);
    }
    print!("{question}");
    stdout().flush()?;
    crossterm::terminal::enable_raw_mode()?;
    let key = read_hidden();
    crossterm::terminal::disable_raw_mode()?;
    println!();
    Ok(key?.filter(|key| !key.is_empty()).map(Secret::new))
}

fn read_hidden() -> Result<Option<String>> {
    use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, read};
    let mut text = String::new();
    loop {
        match read()? {
            Event::Key(key) if key.kind == KeyEventKind::Release => {}
            Event::Key(key) if key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c' | 'd')) => {
                return Ok(None);
            }
            Event::Key(key) => match key.code {
                KeyCode::Enter => return Ok(Some(text.trim().to_owned())),
                KeyCode::Backspace => drop(text.pop()),
                KeyCode::Char(c) => text.push(c),
                _ => {}
            },
            Event::Paste(pasted) => text.push_str(&pasted),
            _ => {}
        }
    }
}

fn line(question: &str) -> Result<String> {
    print!("{question}");
    stdout().flush()?;
    let mut answer = String::new();
    if stdin().read_line(&mut answer)? == 0 {
        anyhow::bail!("nothing was chosen");
    }
    Ok(answer.trim().to_owned())
}

fn report_of(found: &Found) -> Result<&Report> {
    found.reports.iter().find(|report| report.url == found.recommendation.url).context("the recommended server is gone")
}

fn choice(found: &Found, report: &Report, model: &ModelId, fallbacks: Vec<String>) -> Choice {
    let others = report.models.iter().filter(|other| !other.abilities.embedding && other.id != *model && other.remote_host.is_none());
    Choice {
        provider: provider_name(report.kind).to_owned(),
        server: report.kind.name().to_owned(),
        base_url: base_url(report),
        dialect: dialect(report.kind),
        key: found.key.clone(),
        models: std::iter::once(model.clone()).chain(others.map(|other| other.id.clone()).take(MOST_SHOWN)).collect(),
        fallbacks,
    }
}

/// The key under `models.providers`.
fn provider_name(kind: ServerKind) -> &'static str {
    match kind {
        ServerKind::LmStudio => "lmstudio",
        ServerKind::LlamaCpp => "llama-cpp",
        ServerKind::Ollama => "ollama",
        ServerKind::Vllm => "vllm",
        ServerKind::Sglang => "sglang",
        ServerKind::LiteLlm => "litellm",
        ServerKind::Mlx => "mlx",
        ServerKind::LocalAi => "localai",
        ServerKind::Jan => "jan",
        ServerKind::OpenAi => "openai",
        ServerKind::Anthropic => "anthropic",
        ServerKind::OpenRouter => "openrouter",
        ServerKind::Other => "local",
    }
}

/// The wire format in which a server says the most: LM Studio separates reasoning in Responses, Ollama keeps the window
/// only natively, the others are at their best with Chat Completions.
fn dialect(kind: ServerKind) -> Dialect {
    match kind {
        ServerKind::LmStudio | ServerKind::OpenAi => Dialect::OpenAiResponses,
        ServerKind::Ollama => Dialect::Ollama,
        ServerKind::Anthropic => Dialect::AnthropicMessages,
        ServerKind::LlamaCpp
        | ServerKind::Vllm
        | ServerKind::Sglang
        | ServerKind::LiteLlm
        | ServerKind::Mlx
        | ServerKind::LocalAi
        | ServerKind::Jan
        | ServerKind::OpenRouter
        | ServerKind::Other => Dialect::OpenAiCompletions,
    }
}

fn base_url(report: &Report) -> String {
    match report.kind {
        ServerKind::Ollama => report.url.trim_end_matches('/').trim_end_matches("/v1").to_owned(),
        _ => report.url.clone(),
    }
}
