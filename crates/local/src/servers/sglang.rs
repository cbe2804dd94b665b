//! SGLang. What it lists is loaded, and `max_model_len` is the real window. `/model_info` was called `/get_model_info` before.

use krabba_types::ServerKind;
use serde_json::Value;

use crate::asker::{Answer, Asker};
use crate::servers::{openai_style, vllm};
use crate::{Report, wire};

/// By the owner it names.
pub(crate) fn recognise(answer: &Answer) -> bool {
    openai_style::owner(answer) == Some("sglang")
}

/// `first` is the answer to `/v1/models`.
pub(crate) async fn list(asker: &mut Asker<'_>, first: Answer) -> Report {
    let mut report = Report::new(ServerKind::Sglang);
    // The listing has the same fields as vLLM's.
    report.models = first.success().map(vllm::parse).unwrap_or_default();
    if let Some(info) = first_success(asker, ["/model_info", "/get_model_info"]).await {
        apply_model_info(&mut report, &info);
    }
    if let Some(info) = first_success(asker, ["/server_info", "/get_server_info"]).await {
        apply_server_info(&mut report, &info);
    }
    report
}

/// `GET /model_info`.
pub(crate) fn apply_model_info(report: &mut Report, info: &Value) {
    for model in &mut report.models {
        model.abilities.vision = wire::flag(info, "/has_image_understanding").or(model.abilities.vision);
        model.abilities.embedding = wire::flag(info, "/is_generation") == Some(false);
    }
}

/// `GET /server_info`. The pool of all requests can be smaller than what the model takes.
pub(crate) fn apply_server_info(report: &mut Report, info: &Value) {
    report.version = wire::text(info, "/version").map(str::to_owned);
    report.slots = wire::count(info, "/max_running_requests");
    let pool = wire::count(info, "/max_total_num_tokens");
    for model in &mut report.models {
        model.window = match (model.window, pool) {
            (Some(window), Some(pool)) => Some(window.min(pool)),
            (window, pool) => window.or(pool),
        };
    }
}

async fn first_success(asker: &mut Asker<'_>, paths: [&str; 2]) -> Option<Value> {
    for path in paths {
        let answer = asker.get(path).await;
        if let Some(body) = answer.as_ref().and_then(Answer::success) {
            return Some(body.clone());
        }
    }
    None
}
