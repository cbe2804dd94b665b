//! `GET /v1/models` as OpenAI has it, and what unknown servers add to it.

use krabba_types::ServerKind;
use serde_json::Value;

use crate::asker::{Answer, Asker};
use crate::{Report, ServerModel, wire};

/// Whether the answer is a list of models at all. An empty one counts; Ollama writes it as `"data": null`.
pub(crate) fn recognise(answer: &Answer) -> bool {
    answer.success().is_some_and(is_listing)
}

/// Nothing more to ask: the listing is all that is common.
pub(crate) async fn list(_asker: &mut Asker<'_>, first: Answer, kind: ServerKind) -> Report {
    let mut report = Report::new(kind);
    report.models = first.success().map(parse).unwrap_or_default();
    report
}

/// The entries, with the fields that some servers add: `max_model_len` (vLLM, SGLang: what is loaded), `context_length`
/// (OpenRouter), `architecture.input_modalities`.
pub(crate) fn parse(body: &Value) -> Vec<ServerModel> {
    entries(body).iter().filter_map(parse_entry).collect()
}

/// The first entry's `owned_by`, by which several servers give themselves away.
pub(crate) fn owner(answer: &Answer) -> Option<&str> {
    wire::text(entries(answer.success()?).first()?, "/owned_by")
}

fn is_listing(body: &Value) -> bool {
    let data = body.get("data");
    let listed = wire::text(body, "/object") == Some("list") || data.is_some_and(Value::is_array);
    listed || body.as_array().is_some_and(|entries| entries.iter().all(|entry| wire::text(entry, "/id").is_some()) && !entries.is_empty())
}

fn entries(body: &Value) -> &[Value] {
    body.as_array().map_or_else(|| wire::list(body, "/data"), Vec::as_slice)
}

fn parse_entry(entry: &Value) -> Option<ServerModel> {
    let mut model = ServerModel::new(wire::text(entry, "/id")?);
    model.window = ["/max_model_len", "/top_provider/context_length", "/context_length", "/context_window"]
        .iter()
        .find_map(|pointer| wire::count(entry, pointer));
    model.max_window = wire::count(entry, "/context_length").or(model.window);
    let inputs = wire::texts(entry, "/architecture/input_modalities");
    if !inputs.is_empty() {
        model.abilities.vision = Some(inputs.iter().any(|input| input == "image"));
    }
    let parameters = wire::texts(entry, "/supported_parameters");
    if !parameters.is_empty() {
        model.abilities.tools = Some(parameters.iter().any(|parameter| parameter == "tools"));
    }
    Some(model)
}
