//! llama.cpp's `llama-server`. While it loads, every path answers 503 `Loading model`; afterwards `/health`, `/props` and
//! `/v1/models` neither wake a sleeping model nor count as use. In router mode (started without a model) `/props` says
//! `role: "router"`, and `/models` has the state of each model. A path with `?model=` would load that model unless `autoload=false`
//! stands beside it, so it always does.

use krabba_types::ServerKind;
use serde_json::Value;

use crate::asker::{Answer, Asker};
use crate::family;
use crate::report::ServerState;
use crate::servers::openai_style;
use crate::weights::quantization_in;
use crate::{Report, ServerModel, wire};

/// By its `Server` header, by the owner it names, or by its words while it loads.
pub(crate) fn recognise(answer: &Answer) -> bool {
    answer.server.starts_with("llama.cpp") || openai_style::owner(answer) == Some("llamacpp") || is_loading(answer)
}

/// `first` is the answer to `/v1/models`.
pub(crate) async fn list(asker: &mut Asker<'_>, first: Answer) -> Report {
    let mut report = Report::new(ServerKind::LlamaCpp);
    report.models = first.success().map(parse).unwrap_or_default();
    // `/v1/models` may answer 200 during the load (with `meta: null`), so it does not say that the server is ready.
    let health = if is_loading(&first) { Some(first) } else { asker.get("/health").await };
    if health.as_ref().is_some_and(is_loading) {
        report.state = ServerState::Loading { percent: None };
        for model in &mut report.models {
            model.loaded = Some(false);
            model.loading = true;
        }
        return report;
    }
    let props = asker.get("/props").await;
    // A key does not guard `/v1/models`, so the listing alone does not show that one is wanted.
    if props.as_ref().is_some_and(Answer::is_locked) {
        report.state = if asker.has_key() { ServerState::KeyRefused } else { ServerState::NeedsKey };
        return report;
    }
    if let Some(props) = props.as_ref().and_then(Answer::success) {
        if wire::text(props, "/role") == Some("router") {
            list_router(asker, &mut report).await;
        } else {
            apply_props(&mut report, props);
        }
    }
    if !report.sleeping && report.slots.is_some() && asker.may_disturb() {
        let slots = asker.get("/slots").await;
        report.busy = slots.as_ref().and_then(Answer::success).and_then(parse_slots);
    }
    report
}

async fn list_router(asker: &mut Asker<'_>, report: &mut Report) {
    let listing = asker.get("/models").await;
    if let Some(body) = listing.as_ref().and_then(Answer::success) {
        report.models = parse_router(body);
    }
    for index in 0..report.models.len() {
        let Some(model) = report.models.get_mut(index) else { continue };
        if model.loaded != Some(true) {
            continue;
        }
        let name: String = krabba_net::Url::parse_with_params("http://x/", [("model", model.id.as_str())])
            .ok()
            .and_then(|url| url.query().map(str::to_owned))
            .unwrap_or_default();
        let props = asker.get(&format!("/props?{name}&autoload=false")).await;
        if let Some(props) = props.as_ref().and_then(Answer::success) {
            apply_model_props(model, props);
            model.slots = wire::count(props, "/total_slots");
        }
    }
}

/// `GET /v1/models` of a server with one model. `meta.n_ctx` is the window of one slot; `meta.n_ctx_train` only what the model was
/// trained for.
pub(crate) fn parse(body: &Value) -> Vec<ServerModel> {
    let mut models = openai_style::parse(body);
    for (model, entry) in models.iter_mut().zip(wire::list(body, "/data").iter().filter(|entry| wire::text(entry, "/id").is_some())) {
        model.loaded = Some(true);
        model.window = wire::count(entry, "/meta/n_ctx");
        model.max_window = wire::count(entry, "/meta/n_ctx_train");
        model.weights.size_bytes = wire::number(entry, "/meta/size");
        if let Some(parameters) = wire::number(entry, "/meta/n_params") {
            model.weights.parameters = Some(parameters as f64 / 1e9);
        }
        if let Some((size, parameters)) = model.weights.size_bytes.zip(wire::number(entry, "/meta/n_params")) {
            model.weights.bits_per_weight = Some(size as f64 * 8.0 / parameters as f64);
        }
    }
    models
}

/// `GET /models` in router mode: `status.value` is `unloaded`, `loading`, `loaded`, `sleeping` or `downloading`.
pub(crate) fn parse_router(body: &Value) -> Vec<ServerModel> {
    let mut models = openai_style::parse(body);
    for (model, entry) in models.iter_mut().zip(wire::list(body, "/data").iter().filter(|entry| wire::text(entry, "/id").is_some())) {
        let status = wire::text(entry, "/status/value").unwrap_or_default();
        model.loaded = Some(status == "loaded");
        model.loading = matches!(status, "loading" | "downloading");
    }
    models
}

/// What became of a load in router mode, as `GET /models` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RouterLoad {
    Loaded,
    Loading,
    Failed { exit_code: Option<i64> },
    Unknown,
}

/// The state of one model in `GET /models`.
pub(crate) fn parse_router_load(body: &Value, id: &str) -> RouterLoad {
    let entry = wire::list(body, "/data").iter().find(|entry| wire::text(entry, "/id") == Some(id));
    let Some(entry) = entry else { return RouterLoad::Unknown };
    if wire::flag(entry, "/status/failed") == Some(true) {
        return RouterLoad::Failed { exit_code: entry.pointer("/status/exit_code").and_then(Value::as_i64) };
    }
    match wire::text(entry, "/status/value") {
        Some("loaded" | "sleeping") => RouterLoad::Loaded,
        Some("loading" | "downloading" | "unloaded") => RouterLoad::Loading,
        Some(_) | None => RouterLoad::Unknown,
    }
}

/// `GET /slots`: how many are at work.
pub(crate) fn parse_slots(body: &Value) -> Option<u32> {
    let slots = body.as_array()?;
    u32::try_from(slots.iter().filter(|slot| wire::flag(slot, "/is_processing") == Some(true)).count()).ok()
}

/// Whether the answer says that the model is still being loaded.
pub(crate) fn is_loading(answer: &Answer) -> bool {
    answer.status == 503 && answer.complaint() == "Loading model"
}

fn apply_props(report: &mut Report, props: &Value) {
    report.version = wire::text(props, "/build_info").map(str::to_owned);
    report.slots = wire::count(props, "/total_slots");
    report.sleeping = wire::flag(props, "/is_sleeping") == Some(true);
    for model in &mut report.models {
        apply_model_props(model, props);
        if report.sleeping {
            model.loaded = Some(false);
        }
    }
}

fn apply_model_props(model: &mut ServerModel, props: &Value) {
    // The window of a slot is smaller than `-c` when that is divided among several.
    let per_slot = wire::count(props, "/default_generation_settings/n_ctx");
    model.window = match (per_slot, model.window) {
        (Some(per_slot), Some(listed)) => Some(per_slot.min(listed)),
        (per_slot, listed) => per_slot.or(listed),
    };
    model.abilities.vision = wire::flag(props, "/modalities/vision").or(model.abilities.vision);
    model.abilities.tools = wire::flag(props, "/chat_template_caps/supports_tools").or(model.abilities.tools);
    if let Some(template) = wire::text(props, "/chat_template") {
        model.abilities.family = family::better(family::of_template(template), model.abilities.family);
    }
    let named = wire::text(props, "/model_path").and_then(quantization_in);
    if let Some(quantization) = named.filter(|_| model.weights.quantization.is_none()) {
        let measured = model.weights.bits_per_weight;
        model.weights.quantized(&quantization, measured);
    }
}
