//! LiteLLM's proxy. `/health` really calls every model behind it, which wakes them and may cost money: it is never asked.
//! `/health/readiness` is public. In 1.106 neither the listing's headers nor readiness tell the version; readiness says
//! `{"status":"healthy","db":"Not connected"}`.
//!
//! Without a key `/v1/models` answers 401, or 500 with words about the key, or, where its client for databases is not
//! installed, 500 without any sign of who says so. Without a database a wrong key gets 400 `No connected db.`.

use krabba_types::ServerKind;
use serde_json::Value;

use crate::asker::{Answer, Asker};
use crate::report::ServerState;
use crate::servers::openai_style;
use crate::{Report, ServerModel, wire};

/// By its headers, which most of its errors have too, or by its words about a key.
pub(crate) fn recognise(answer: &Answer) -> bool {
    answer.litellm_version.is_some() || speaks_of_the_key(answer)
}

/// Whether readiness is worth asking: some LiteLLM answers so to whoever sends no key, and no healthy server does.
pub(crate) fn may_be(answer: &Answer) -> bool {
    answer.status == 500 && answer.json.is_none()
}

fn speaks_of_the_key(answer: &Answer) -> bool {
    let kind = answer.json.as_ref().and_then(|body| wire::text(body, "/error/type"));
    kind == Some("no_db_connection") || (answer.status >= 400 && answer.complaint().starts_with("Authentication Error,"))
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
    if report.version.is_none() && first.success().is_some() {
        let readiness = asker.get("/health/readiness").await;
        let body = readiness.as_ref().and_then(Answer::success);
        report.version = body.and_then(|body| wire::text(body, "/litellm_version")).map(str::to_owned);
    }
    let about_the_key = first.is_locked() || speaks_of_the_key(&first) || (first.status == 500 && !asker.has_key());
    match first.success() {
        Some(body) => report.models = parse(body),
        None if about_the_key && asker.has_key() => report.state = ServerState::KeyRefused,
        None if about_the_key => report.state = ServerState::NeedsKey,
        None => {
            report.state = ServerState::Failing { reason: format!("LiteLLM answers with status {}: {}", first.status, first.complaint()) }
        }
    }
    if asker.has_key() && report.state == ServerState::Up {
        let info = asker.get("/model/info").await;
        if let Some(body) = info.as_ref().and_then(Answer::success) {
            apply_info(&mut report.models, body);
        }
    }
    report
}

/// `GET /v1/models`. A pattern such as `openai/*` is listed as all that LiteLLM's price table holds of it, each with its
/// `mode`: most of those draw, speak or transcribe, and cannot be talked to.
pub(crate) fn parse(body: &Value) -> Vec<ServerModel> {
    let cannot_talk =
        |entry: &&Value| wire::text(entry, "/mode").is_some_and(|mode| !matches!(mode, "chat" | "responses" | "completion" | "embedding"));
    let mute: Vec<&str> = wire::list(body, "/data").iter().filter(cannot_talk).filter_map(|entry| wire::text(entry, "/id")).collect();
    let mut models = openai_style::parse(body);
    models.retain(|model| !mute.contains(&model.id.as_str()));
    models
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
