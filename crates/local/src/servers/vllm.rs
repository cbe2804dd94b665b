//! vLLM. What it lists is loaded, and `max_model_len` is the real window. A key guards `/v1` only; `/version` is public.

use krabba_types::ServerKind;
use serde_json::Value;

use crate::asker::{Answer, Asker};
use crate::servers::openai_style;
use crate::{Report, ServerModel, wire};

/// By the owner it names.
pub(crate) fn recognise(answer: &Answer) -> bool {
    openai_style::owner(answer) == Some("vllm")
}

/// `first` is the answer to `/v1/models`.
pub(crate) async fn list(asker: &mut Asker<'_>, first: Answer) -> Report {
    let mut report = Report::new(ServerKind::Vllm);
    report.models = first.success().map(parse).unwrap_or_default();
    let version = asker.get("/version").await;
    report.version = version.as_ref().and_then(Answer::success).and_then(|body| wire::text(body, "/version")).map(str::to_owned);
    report
}

/// `GET /v1/models`.
pub(crate) fn parse(body: &Value) -> Vec<ServerModel> {
    let mut models = openai_style::parse(body);
    for model in &mut models {
        model.loaded = Some(true);
    }
    models
}
