//! LiteLLM's proxy. `/health` really calls every model behind it, which wakes them and may cost money: it is never asked.
//! `/health/readiness` is public. Without a key `/v1/models` answers 401, or 500 in some versions. In 1.106 neither the
//! listing's headers nor readiness tell the version; readiness says `{"status":"healthy","db":"Not connected"}`.

use krabba_types::ServerKind;
use serde_json::Value;

use crate::asker::{Answer, Asker};
use crate::report::ServerState;
use crate::servers::openai_style;
use crate::{Report, ServerModel, wire};

/// By its headers; LiteLLM sets them on errors too.
pub(crate) fn recognise(answer: &Answer) -> bool {
    answer.litellm_version.is_some()
}

/// Whether the answer to `/health/readiness` is LiteLLM's: its version, or the state of its database, which no other server
/// has. A proxy that is not recognised would pass for a model on this machine.
pub(crate) fn recognise_readiness(answer: &Answer) -> bool {
    let says = |body: &Value, path| wire::text(body, path).is_some();
    recognise(answer) || answer.success().is_some_and(|body| says(body, "/litellm_version") || (says(body, "/status") && says(body, "/db")))
}

/// `first` is the answer to `/v1/models`.
pub(crate) async fn list(asker: &mut Asker<'_>, first: Answer) -> Report {
    let mut report = Report::new(ServerKind::LiteLlm);
    // What stands behind it is not told reliably, so a conversation may leave the house here.
    report.hosted = true;
    report.version = first.litellm_version.clone();
    if report.version.is_none() {
        let readiness = asker.get("/health/readiness").await;
        let body = readiness.as_ref().and_then(Answer::success);
        report.version = body.and_then(|body| wire::text(body, "/litellm_version")).map(str::to_owned);
    }
    match first.success() {
        Some(body) => report.models = openai_style::parse(body),
        None if asker.has_key() && first.is_locked() => report.state = ServerState::KeyRefused,
        None if asker.has_key() => {
            report.state = ServerState::Failing { reason: format!("LiteLLM answers with status {}: {}", first.status, first.complaint()) }
        }
        None => report.state = ServerState::NeedsKey,
    }
    if asker.has_key() && report.state == ServerState::Up {
        let info = asker.get("/model/info").await;
        if let Some(body) = info.as_ref().and_then(Answer::success) {
            apply_info(&mut report.models, body);
        }
    }
    report
}

/// `GET /model/info`. Its figures come out of LiteLLM's price table and not from the server, so the window is an upper
/// bound at most.
pub(crate) fn apply_info(models: &mut [ServerModel], body: &Value) {
    for entry in wire::list(body, "/data") {
        let name = wire::text(entry, "/model_name");
        for model in models.iter_mut().filter(|model| Some(model.id.as_str()) == name) {
            model.max_window = wire::count(entry, "/model_info/max_input_tokens").or(model.max_window);
            model.abilities.vision = wire::flag(entry, "/model_info/supports_vision").or(model.abilities.vision);
            model.abilities.tools = wire::flag(entry, "/model_info/supports_function_calling").or(model.abilities.tools);
            model.abilities.embedding |= wire::text(entry, "/model_info/mode") == Some("embedding");
            model.remote_host = wire::text(entry, "/litellm_params/api_base").map(str::to_owned).or(model.remote_host.take());
        }
    }
}
