//! LM Studio 0.4, default port 1234.
//!
//! Sources: LM Studio's developer documentation (REST API v1 and v0, OpenAI and Anthropic compatibility), and its bug
//! tracker: 200 for unknown paths (#618, #1323), any name served while one model is loaded (#619), `tool_calls: []`
//! (#1318), the error texts (#1730, #1806, #2295, #2339).

use krabba_types::Dialect;
use serde_json::{Value, json};

use super::{Habits, Manners, Native, Trouble, View, dialect_under_v1, usual};
use crate::ServerError;
use crate::http::{Answer, Request};
use crate::machine::ModelNow;
use crate::model::Overflow;
use crate::script::Strict;

pub(crate) struct LmStudio;

impl Manners for LmStudio {
    fn version(&self) -> &'static str {
        "0.4.21"
    }

    fn dialect(&self, path: &str) -> Option<Dialect> {
        match path {
            "/api/v0/chat/completions" => Some(Dialect::OpenAiCompletions),
            other => dialect_under_v1(other),
        }
    }

    fn native(&self, request: &Request, view: &View) -> Option<Native> {
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/v1/models") => usual::model_list(view, "organization_owner"),
            ("GET", "/api/v1/models") => json!({"models": view.models.iter().map(native_model).collect::<Vec<_>>()}),
            ("GET", "/api/v0/models") => {
                json!({"object": "list", "data": view.models.iter().map(older_model).collect::<Vec<_>>()})
            }
            ("POST", "/api/v1/models/load") => return Some(load(request)),
            ("POST", "/api/v1/models/unload") => return Some(unload(request)),
            _ => return None,
        };
        Some(Native::Answer(Answer::json(200, &answer)))
    }

    fn unknown_path(&self, request: &Request) -> Answer {
        let message = format!("Unexpected endpoint or method. ({} {})", request.method, request.path);
        Answer::json(200, &json!({"error": message}))
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![("x-powered-by", "Express".to_owned())]
    }

    fn substitute<'a>(&self, view: &'a View) -> Option<&'a ModelNow> {
        let mut loaded = view.loaded();
        let only = loaded.next()?;
        loaded.next().is_none().then_some(only)
    }

    fn words(&self, trouble: &Trouble<'_>) -> ServerError {
        match *trouble {
            Trouble::NoSuchModel { asked, listed } => {
                let message = format!("Model \"{asked}\" not found. Your models:\n\n{}", listed.join("\n"));
                ServerError::new(404, message).param("model").code("model_not_found")
            }
            Trouble::NoModelLoaded => {
                let message = "No models loaded. Please load a model in the developer page or use the 'lms load' command.";
                ServerError::new(404, message).param("model").code("model_not_found")
            }
            Trouble::Overflow { asked, window, words } => overflow(asked, window, words),
            Trouble::WrongKey { .. } => {
                ServerError::new(401, "An LM Studio API token is required to make requests to this server").code("invalid_api_key")
            }
            Trouble::Refused { rule: Strict::OneSystem | Strict::Alternation | Strict::NeedsUser, .. } => {
                let message = "Error rendering prompt with jinja template: \"Conversation roles must alternate user/assistant/user/assistant/...\". \
                               This is usually an issue with the model's prompt template.";
                ServerError::new(400, message).bare()
            }
            Trouble::Refused { rule: Strict::NoContentParts | Strict::NoDeveloper | Strict::ShortToolIds, .. } => {
                ServerError::new(400, "Invalid 'messages' in payload.").bare()
            }
            Trouble::Refused { .. } | Trouble::Loading | Trouble::Full { .. } | Trouble::BadJson => usual::words(trouble),
        }
    }

    fn habits(&self, _dialect: Dialect) -> Habits {
        Habits { empty_tool_calls: true, cached_tokens: false, ..Habits::usual() }
    }
}

fn overflow(asked: u64, window: u32, words: Overflow) -> ServerError {
    let message = match words {
        Overflow::OlderWords => format!(
            "Trying to keep the first {asked} tokens when context the overflows. However, the model is loaded with context length of only \
             {window} tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input"
        ),
        Overflow::OtherEngine => format!("Cannot truncate prompt with n_keep ({asked}) >= n_ctx ({window})"),
        Overflow::Usual | Overflow::Truncate | Overflow::EmptyStream | Overflow::Ignore => format!(
            "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: {asked}>= n_ctx: {window}). \
             Try to load the model with a larger context length, or provide a shorter input."
        ),
    };
    ServerError::new(400, message).bare()
}

fn native_model(now: &ModelNow) -> Value {
    let card = &now.model.card;
    let instances: Vec<Value> = if now.loaded { vec![instance(now)] } else { Vec::new() };
    let mut model = json!({
        "type": if card.embedding { "embedding" } else { "llm" },
        "publisher": "scripted",
        "key": now.model.id,
        "display_name": now.model.id,
        "architecture": card.architecture,
        "quantization": {"name": card.quantization, "bits_per_weight": card.bits},
        "size_bytes": card.size_bytes,
        "params_string": format!("{}B", card.billions),
        "loaded_instances": instances,
        "max_context_length": now.model.max_window,
        "format": "gguf",
        "variants": card.variants,
        "selected_variant": card.variants.first(),
    });
    if !card.embedding {
        model["capabilities"] = json!({"vision": card.vision, "trained_for_tool_use": card.tools});
        if card.reasoning {
            model["capabilities"]["reasoning"] = json!({"allowed_options": ["off", "on"], "default": "on"});
        }
    }
    model
}

fn instance(now: &ModelNow) -> Value {
    json!({
        "id": now.model.id,
        "config": {
            "context_length": now.window, "eval_batch_size": 512, "parallel": 1, "flash_attention": true, "offload_kv_cache_to_gpu": true,
        },
    })
}

fn older_model(now: &ModelNow) -> Value {
    let card = &now.model.card;
    let kind = match (card.embedding, card.vision) {
        (true, _) => "embeddings",
        (false, true) => "vlm",
        (false, false) => "llm",
    };
    let mut model = json!({
        "id": now.model.id, "object": "model", "type": kind, "publisher": "scripted", "arch": card.architecture,
        "compatibility_type": "gguf", "quantization": card.quantization, "state": if now.loaded { "loaded" } else { "not-loaded" },
        "max_context_length": now.model.max_window,
    });
    if now.loaded {
        model["loaded_context_length"] = now.window.into();
    }
    model
}

fn load(request: &Request) -> Native {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let window = body["context_length"].as_u64().and_then(|window| u32::try_from(window).ok());
    Native::Load { model: body["model"].as_str().unwrap_or_default().to_owned(), window, then: loaded }
}

fn loaded(view: &View, model: &str) -> Answer {
    match view.models.iter().find(|now| now.model.id == model) {
        Some(now) => Answer::json(
            200,
            &json!({
                "type": "llm", "instance_id": model, "load_time_seconds": 1.5, "status": "loaded",
                "load_config": {"context_length": now.window},
            }),
        ),
        None => {
            let message = format!("Model {model} not found");
            Answer::json(404, &json!({"error": {"type": "model_not_found", "message": message}}))
        }
    }
}

fn unload(request: &Request) -> Native {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let model = body["instance_id"].as_str().unwrap_or_default().to_owned();
    let answer = Answer::json(200, &json!({"instance_id": model}));
    Native::Unload { model, answer }
}
