//! Ollama's native paths. `/api/tags` lists what is on the disk, `/api/ps` what is in memory with its window and expiry, `/api/show`
//! the rest of one model; none of them loads anything. Entries with `remote_host` run on somebody else's machine.

use std::collections::HashMap;

use krabba_types::{ModelId, ServerKind};
use serde_json::{Value, json};

use crate::asker::{Answer, Asker};
use crate::family;
use crate::model::ReasoningAbility;
use crate::servers::openai_style;
use crate::weights::parameters_in;
use crate::{Report, ServerModel, wire};

/// The path to ask first where Ollama is expected.
pub(crate) const FIRST: &str = "/api/version";

/// Models whose details are asked for in one probe. A disk with more keeps those that are loaded, then the first ones.
const DETAILED: usize = 24;

/// By its version, by its greeting, or by the owner it names on `/v1/models` (`"data": null` when there is no model).
pub(crate) fn recognise(answer: &Answer) -> bool {
    let greeting = answer.text.starts_with("Ollama is running");
    let empty = answer.success().is_some_and(|body| body.get("data").is_some_and(Value::is_null));
    greeting || empty || openai_style::owner(answer) == Some("library")
}

/// Whether the answer to [`FIRST`] is Ollama's: an object with nothing but a version.
pub(crate) fn recognise_version(answer: &Answer) -> bool {
    answer.success().is_some_and(|body| body.as_object().is_some_and(|object| object.len() == 1) && wire::text(body, "/version").is_some())
}

/// `first` is the answer to [`FIRST`] or to `/v1/models`. Details that `before` has for the same file are taken from there.
pub(crate) async fn list(asker: &mut Asker<'_>, first: Answer, before: &[ServerModel]) -> Report {
    let mut report = Report::new(ServerKind::Ollama);
    let version = if recognise_version(&first) { Some(first) } else { asker.get(FIRST).await };
    report.version = version.as_ref().and_then(Answer::success).and_then(|body| wire::text(body, "/version")).map(str::to_owned);
    let tags = asker.get("/api/tags").await;
    report.models = tags.as_ref().and_then(Answer::success).map(parse_tags).unwrap_or_default();
    let running = asker.get("/api/ps").await;
    if let Some(body) = running.as_ref().and_then(Answer::success) {
        apply_ps(&mut report.models, body);
    }
    keep_details(&mut report.models, before);
    ask_details(asker, &mut report.models).await;
    report
}

/// `GET /api/tags`.
pub(crate) fn parse_tags(body: &Value) -> Vec<ServerModel> {
    wire::list(body, "/models").iter().filter_map(parse_tag).collect()
}

/// `GET /api/ps`: what it names is loaded, all else is not.
pub(crate) fn apply_ps(models: &mut Vec<ServerModel>, body: &Value) {
    let running: HashMap<&str, &Value> = wire::list(body, "/models")
        .iter()
        .filter_map(|entry| Some((wire::text(entry, "/name").or(wire::text(entry, "/model"))?, entry)))
        .collect();
    for model in models {
        let entry = running.get(model.id.as_str());
        model.loaded = Some(entry.is_some() || model.remote_host.is_some());
        model.window = entry.and_then(|entry| wire::count(entry, "/context_length"));
    }
}

/// `POST /api/show`.
pub(crate) fn apply_show(model: &mut ServerModel, body: &Value) {
    let capabilities = wire::texts(body, "/capabilities");
    let can = |ability: &str| capabilities.iter().any(|capability| capability == ability);
    if !capabilities.is_empty() {
        model.abilities.vision = Some(can("vision"));
        model.abilities.tools = Some(can("tools"));
        model.abilities.embedding = can("embedding") && !can("completion");
        model.abilities.reasoning = can("thinking").then(ReasoningAbility::default);
    }
    let architecture = wire::text(body, "/model_info/general.architecture").unwrap_or_default();
    model.max_window = wire::count(body, &format!("/model_info/{architecture}.context_length")).or(model.max_window);
    if let Some(parameters) = wire::number(body, "/model_info/general.parameter_count") {
        model.weights.parameters = Some(parameters as f64 / 1e9);
    }
    let by_template = wire::text(body, "/template").map(family::of_template).unwrap_or_default();
    model.abilities.family = family::better(family::better(by_template, model.abilities.family), family::of_name(architecture));
    if model.loaded != Some(true) {
        model.window = wire::text(body, "/parameters").and_then(parameter_num_ctx).or(model.window);
    }
}

fn parse_tag(entry: &Value) -> Option<ServerModel> {
    let mut model = ServerModel::new(wire::text(entry, "/name").or(wire::text(entry, "/model"))?);
    model.loaded = Some(false);
    model.remote_host = wire::text(entry, "/remote_host").map(str::to_owned);
    model.weights.size_bytes = wire::number(entry, "/size").filter(|_| model.remote_host.is_none());
    if let Some(parameters) = wire::text(entry, "/details/parameter_size").and_then(parameters_in) {
        model.weights.parameters = Some(parameters);
    }
    if let Some(quantization) = wire::text(entry, "/details/quantization_level").filter(|name| *name != "unknown") {
        model.weights.quantized(quantization, None);
    }
    let family = wire::text(entry, "/details/family").map(family::of_name).unwrap_or_default();
    model.abilities.family = family::better(model.abilities.family, family);
    model.abilities.embedding |= wire::text(entry, "/details/family").is_some_and(|family| family.contains("bert"));
    Some(model)
}

/// `PARAMETER num_ctx` of the model's file, in the lines of `parameters`: the window that it will be loaded with.
fn parameter_num_ctx(parameters: &str) -> Option<u32> {
    parameters.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("num_ctx")).then(|| words.next()?.parse().ok()).flatten()
    })
}

fn keep_details(models: &mut [ServerModel], before: &[ServerModel]) {
    for model in models {
        let known = before.iter().find(|known| known.id == model.id && known.weights.size_bytes == model.weights.size_bytes);
        if let Some(known) = known.filter(|known| known.max_window.is_some()) {
            model.abilities = known.abilities.clone();
            model.max_window = known.max_window;
            model.weights = known.weights.clone();
            if model.loaded != Some(true) && known.loaded != Some(true) {
                model.window = known.window;
            }
        }
    }
}

async fn ask_details(asker: &mut Asker<'_>, models: &mut [ServerModel]) {
    let mut unknown: Vec<&mut ServerModel> = models.iter_mut().filter(|model| model.max_window.is_none()).collect();
    unknown.sort_by_key(|model| model.loaded != Some(true));
    unknown.truncate(DETAILED);
    let names: Vec<ModelId> = unknown.iter().map(|model| model.id.clone()).collect();
    let bodies = names.iter().map(|name| json!({ "model": name.as_str() })).collect();
    let answers = asker.post_each("/api/show", bodies).await;
    for (model, answer) in unknown.into_iter().zip(answers) {
        if let Some(body) = answer.as_ref().and_then(Answer::success) {
            apply_show(model, body);
        }
    }
}
