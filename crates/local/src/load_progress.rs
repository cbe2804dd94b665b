//! How far llama.cpp's router is with a load. `/models/sse` tells whoever listens at that moment, and nothing of what was before:
//!
//! `{"model": "x", "event": "status_change", "data": {"status": "loading", "progress": {"stages": ["text_model"], "current":
//! "text_model", "value": 0.25}}}` (llama-server as vendored in llama-cpp-python 0.3.36).

use std::time::Duration;

use futures_util::StreamExt;
use krabba_net::{Frame, Framing, HttpClient, HttpRequest};
use krabba_types::ModelId;
use serde_json::Value;
use tokio::time::timeout;

use crate::asker::dressed;
use crate::loading::address;
use crate::{Endpoint, Report, wire};

/// Listens for at most `patience` until the server says how far it is with loading `model`: 0 to 100. None where it says nothing, or has
/// no such interface.
pub async fn load_percent(http: &HttpClient, endpoint: &Endpoint, report: &Report, model: &ModelId, patience: Duration) -> Option<u8> {
    let url = address(endpoint, report, "/models/sse").ok()?;
    let listening = async {
        let response = http.send(dressed(endpoint, HttpRequest::get(url))).await.ok().filter(|response| response.is_success())?;
        let mut frames = response.frames(Framing::Sse);
        while let Some(Ok(frame)) = frames.next().await {
            let Frame::Event { data, .. } = frame else { continue };
            let Ok(event) = serde_json::from_str::<Value>(&data) else { continue };
            if wire::text(&event, "/model") != Some(model.as_str()) {
                continue;
            }
            match wire::text(&event, "/data/status") {
                Some("loading") => {}
                Some(_) | None => return None,
            }
            if let Some(percent) = percent_in(&event) {
                return Some(percent);
            }
        }
        None
    };
    timeout(patience, listening).await.ok().flatten()
}

/// Stages are equal parts of the whole.
fn percent_in(event: &Value) -> Option<u8> {
    let progress = event.pointer("/data/progress")?;
    let value = wire::real(progress, "/value")?.clamp(0.0, 1.0);
    let stages = wire::texts(progress, "/stages");
    let current = wire::text(progress, "/current");
    let done = stages.iter().position(|stage| Some(stage.as_str()) == current).unwrap_or(0);
    let percent = (done as f64 + value) / stages.len().max(1) as f64 * 100.0;
    // Between 0 and 100.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = percent as u8;
    Some(whole)
}
