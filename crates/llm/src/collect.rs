//! An answer in one piece: a fold over the stream.

use futures_core::Stream;
use futures_util::StreamExt;
use krabba_types::{BrokenCall, DoneReason, Fault, FaultKind, JsonObject, ModelEvent, ModelId, Phase, ToolCall, Usage};

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Collected {
    /// What the model said.
    pub text: String,
    /// What it thought.
    pub reasoning: String,
    /// Opaque reasoning artefacts with the wire field that they came in.
    pub artefacts: Vec<(String, JsonObject)>,
    /// The calls that arrived whole.
    pub calls: Vec<ToolCall>,
    /// What was meant as a call and is none.
    pub broken: Vec<BrokenCall>,
    /// The last counters.
    pub usage: Usage,
    /// Who answered, when it was not the model that was asked.
    pub answered_by: Option<ModelId>,
    /// How it ended. What came before a fault is kept.
    pub end: Result<DoneReason, Fault>,
}

/// Reads `stream` to its end.
pub async fn collect(mut stream: impl Stream<Item = ModelEvent> + Unpin) -> Collected {
    let mut collected = Collected {
        text: String::new(),
        reasoning: String::new(),
        artefacts: Vec::new(),
        calls: Vec::new(),
        broken: Vec::new(),
        usage: Usage::default(),
        answered_by: None,
        end: Err(Fault::new(FaultKind::Truncated, Phase::Streaming, "the answer ended without saying so")),
    };
    while let Some(event) = stream.next().await {
        match event {
            ModelEvent::Text(text) => collected.text.push_str(&text),
            ModelEvent::Reasoning(text) => collected.reasoning.push_str(&text),
            ModelEvent::ReasoningArtefact { field, artefact } => collected.artefacts.push((field, artefact)),
            ModelEvent::ToolCall(call) => collected.calls.push(call),
            ModelEvent::BrokenCall(broken) => collected.broken.push(broken),
            ModelEvent::AnsweredBy(model) => collected.answered_by = Some(model),
            ModelEvent::Usage(usage) => collected.usage = usage,
            ModelEvent::Retracted => collected.reasoning.push_str(&std::mem::take(&mut collected.text)),
            ModelEvent::ToolCallPart(_) | ModelEvent::Progress(_) => {}
            ModelEvent::Done(reason) => collected.end = Ok(reason),
            ModelEvent::Failed(fault) => collected.end = Err(fault),
        }
    }
    collected
}
