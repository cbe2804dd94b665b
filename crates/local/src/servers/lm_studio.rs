//! LM Studio. Every path that it does not know prints a red error in its log and answers 200 with `{"error":"Unexpected
//! endpoint or method. (…)"}`, so it is asked `/api/v1/models` (0.4.0 and later), `/api/v0/models` (before), `/v1/models`,
//! in this order, and nothing else. Listing loads nothing; `/v1/models` shows every download, loaded or not.

use krabba_types::ServerKind;
use serde_json::Value;

use crate::asker::{Answer, Asker};
use crate::family;
use crate::model::ReasoningAbility;
use crate::servers::openai_style;
use crate::{Report, ServerModel, wire};

/// The path to ask first where LM Studio is expected.
pub(crate) const FIRST: &str = "/api/v1/models";
const BEFORE_0_4: &str = "/api/v0/models";

/// By its native listing, by its complaint about unknown paths, or by the owner it names on `/v1/models`.
pub(crate) fn recognise(answer: &Answer) -> bool {
    let native = answer.success().is_some_and(is_native);
    native || is_complaint(answer) || openai_style::owner(answer) == Some("organization_owner")
}

/// Goes from the newest listing to the oldest. `first` is the answer to [`FIRST`] or to `/v1/models`.
pub(crate) async fn list(asker: &mut Asker<'_>, first: Answer) -> Report {
    let mut report = Report::new(ServerKind::LmStudio);
    let native = if first.success().is_some_and(is_native) {
        Some(first.clone())
    } else if openai_style::recognise(&first) {
        asker.get(FIRST).await
    } else {
        None
    };
    report.models = match native.as_ref().and_then(Answer::success).filter(|body| is_native(body)) {
        Some(body) => parse(body),
        None => list_before_0_4(asker, &first).await,
    };
    // One loaded model's `parallel` is the box's number of slots; with several, the smallest is what is safe to assume.
    report.slots = report.models.iter().filter(|model| model.loaded == Some(true)).filter_map(|model| model.slots).min();
    report
}

async fn list_before_0_4(asker: &mut Asker<'_>, first: &Answer) -> Vec<ServerModel> {
    let old = asker.get(BEFORE_0_4).await;
    if let Some(body) = old.as_ref().and_then(Answer::success) {
        return parse_before_0_4(body);
    }
    if let Some(body) = first.success().filter(|_| openai_style::recognise(first)) {
        return openai_style::parse(body);
    }
    let last = asker.get("/v1/models").await;
    last.as_ref().and_then(Answer::success).map(openai_style::parse).unwrap_or_default()
}

/// `GET /api/v1/models`. A model is its key, once; an instance that was loaded under another name is an entry of its
/// own, because requests must name it so.
pub(crate) fn parse(body: &Value) -> Vec<ServerModel> {
    wire::list(body, "/models").iter().flat_map(parse_entry).collect()
}

/// `GET /api/v0/models`. `loaded_context_length` is there in some versions only.
pub(crate) fn parse_before_0_4(body: &Value) -> Vec<ServerModel> {
    let entries = wire::list(body, "/data").iter();
    entries
        .filter_map(|entry| {
            let mut model = ServerModel::new(wire::text(entry, "/id")?);
            let kind = wire::text(entry, "/type").unwrap_or_default();
            model.abilities.embedding = kind == "embeddings";
            model.abilities.vision = Some(kind == "vlm");
            model.abilities.family = family_of(&model, wire::text(entry, "/arch"));
            model.loaded = wire::text(entry, "/state").map(|state| state == "loaded");
            model.loading = wire::text(entry, "/state") == Some("loading");
            model.window = wire::count(entry, "/loaded_context_length").filter(|_| model.loaded == Some(true));
            model.max_window = wire::count(entry, "/max_context_length");
            if let Some(quantization) = wire::text(entry, "/quantization") {
                model.weights.quantized(quantization, None);
            }
            Some(model)
        })
        .collect()
}

fn is_native(body: &Value) -> bool {
    // Ollama's `/api/tags` has `models` too; only LM Studio's entries have a `key`.
    let models = wire::list(body, "/models");
    body.get("models").is_some_and(Value::is_array) && models.iter().all(|model| wire::text(model, "/key").is_some())
}

fn is_complaint(answer: &Answer) -> bool {
    answer.complaint().starts_with("Unexpected endpoint or method")
}

fn parse_entry(entry: &Value) -> Vec<ServerModel> {
    let Some(model) = parse_model(entry) else { return Vec::new() };
    let instances = wire::list(entry, "/loaded_instances");
    let own = instances.iter().find(|instance| wire::text(instance, "/id") == Some(model.id.as_str())).or(instances.first());
    let mut models = vec![with_instance(model.clone(), own)];
    for instance in instances {
        if let Some(name) = wire::text(instance, "/id").filter(|name| *name != model.id.as_str()) {
            let mut named = with_instance(model.clone(), Some(instance));
            named.id = krabba_types::ModelId::new(name);
            models.push(named);
        }
    }
    models
}

fn parse_model(entry: &Value) -> Option<ServerModel> {
    let mut model = ServerModel::new(wire::text(entry, "/key")?);
    model.max_window = wire::count(entry, "/max_context_length");
    model.abilities.embedding = wire::text(entry, "/type") == Some("embedding");
    model.abilities.vision = wire::flag(entry, "/capabilities/vision");
    model.abilities.tools = wire::flag(entry, "/capabilities/trained_for_tool_use");
    model.abilities.reasoning = entry.pointer("/capabilities/reasoning").and_then(reasoning);
    model.abilities.family = family_of(&model, wire::text(entry, "/architecture"));
    if let Some(parameters) = wire::text(entry, "/params_string").and_then(crate::weights::parameters_in) {
        model.weights.parameters = Some(parameters);
    }
    if let Some(quantization) = wire::text(entry, "/quantization/name") {
        model.weights.quantized(quantization, wire::real(entry, "/quantization/bits_per_weight"));
    }
    model.weights.size_bytes = wire::number(entry, "/size_bytes");
    model.weights.variants = variants(entry);
    Some(model)
}

fn with_instance(mut model: ServerModel, instance: Option<&Value>) -> ServerModel {
    model.loaded = Some(instance.is_some());
    model.window = instance.and_then(|instance| wire::count(instance, "/config/context_length"));
    model.slots = instance.and_then(|instance| wire::count(instance, "/config/parallel"));
    model
}

fn variants(entry: &Value) -> Vec<String> {
    let selected = wire::text(entry, "/selected_variant");
    let named = wire::list(entry, "/variants").iter().filter_map(|variant| variant.as_str().or_else(|| wire::text(variant, "/key")));
    named.filter(|variant| Some(*variant) != selected).map(str::to_owned).collect()
}

fn reasoning(value: &Value) -> Option<ReasoningAbility> {
    let levels = wire::texts(value, "/allowed_options");
    let default = wire::text(value, "/default").map(str::to_owned);
    (!levels.is_empty() || default.is_some()).then_some(ReasoningAbility { levels, default })
}

fn family_of(model: &ServerModel, architecture: Option<&str>) -> krabba_types::TemplateFamily {
    family::better(model.abilities.family, architecture.map(family::of_name).unwrap_or_default())
}
