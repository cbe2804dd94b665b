//! LocalAI. Its listing has no owner and no date; `/system` names the models in memory.

use krabba_types::ServerKind;
use serde_json::Value;

use crate::asker::{Answer, Asker};
use crate::servers::openai_style;
use crate::{Report, ServerModel, wire};

/// Whether the answer to `/system` is LocalAI's.
pub(crate) fn recognise(answer: &Answer) -> bool {
    answer.success().is_some_and(|body| body.get("backends").is_some_and(Value::is_array) && body.get("loaded_models").is_some())
}

/// Whether a listing may be LocalAI's: entries with an id and a type, and nothing else.
pub(crate) fn may_be(answer: &Answer) -> bool {
    let Some(body) = answer.success() else { return false };
    let entries = wire::list(body, "/data");
    !entries.is_empty() && entries.iter().all(|entry| entry.get("owned_by").is_none() && entry.get("created").is_none())
}

/// `first` is the answer to `/v1/models`, `system` the one to `/system`.
pub(crate) async fn list(asker: &mut Asker<'_>, first: Answer, system: &Answer) -> Report {
    let mut report = openai_style::list(asker, first, ServerKind::LocalAi).await;
    if let Some(body) = system.success() {
        apply_system(&mut report.models, body);
    }
    let version = asker.get("/version").await;
    report.version = version.as_ref().and_then(Answer::success).and_then(|body| wire::text(body, "/version")).map(str::to_owned);
    report
}

/// `GET /system`.
pub(crate) fn apply_system(models: &mut [ServerModel], body: &Value) {
    let loaded = wire::list(body, "/loaded_models");
    for model in models {
        model.loaded = Some(loaded.iter().any(|entry| wire::text(entry, "/id") == Some(model.id.as_str())));
    }
}
