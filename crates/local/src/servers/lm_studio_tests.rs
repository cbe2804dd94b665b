use serde_json::json;

use crate::servers::lm_studio::{parse, parse_before_0_4};
use crate::{Abilities, ReasoningAbility, ServerModel, Weights};
use krabba_types::{ModelId, TemplateFamily};

fn native() -> serde_json::Value {
    json!({"models": [
        {
            "type": "llm", "publisher": "qwen", "key": "qwen/qwen3-30b-a3b", "display_name": "Qwen3 30B A3B", "architecture": "qwen3moe",
            "quantization": {"name": "Q4_K_M", "bits_per_weight": 4}, "size_bytes": 18_556_688_736_u64, "params_string": "30B-A3B",
            "loaded_instances": [{"id": "qwen/qwen3-30b-a3b", "config": {"context_length": 8192, "parallel": 4, "flash_attention": true}}],
            "max_context_length": 262_144, "format": "gguf",
            "capabilities": {"vision": false, "trained_for_tool_use": true, "reasoning": {"allowed_options": ["off", "on"], "default": "on"}},
            "variants": ["qwen/qwen3-30b-a3b@q4_k_m", "qwen/qwen3-30b-a3b@q8_0"], "selected_variant": "qwen/qwen3-30b-a3b@q4_k_m"
        },
        {"type": "embedding", "key": "text-embedding-nomic-embed-text-v1.5", "loaded_instances": [], "max_context_length": 2048}
    ]})
}

#[test]
fn advertised_maximum_is_not_the_loaded_window() {
    let models = parse(&native());
    assert_eq!(
        models[0],
        ServerModel {
            id: ModelId::new("qwen/qwen3-30b-a3b"),
            loaded: Some(true),
            loading: false,
            window: Some(8192),
            max_window: Some(262_144),
            slots: Some(4),
            weights: Weights {
                parameters: Some(30.0),
                bits_per_weight: Some(4.0),
                quantization: Some("Q4_K_M".to_owned()),
                size_bytes: Some(18_556_688_736),
                variants: vec!["qwen/qwen3-30b-a3b@q8_0".to_owned()],
            },
            abilities: Abilities {
                vision: Some(false),
                tools: Some(true),
                reasoning: Some(ReasoningAbility { levels: vec!["off".to_owned(), "on".to_owned()], default: Some("on".to_owned()) }),
                embedding: false,
                family: TemplateFamily::ChatMl,
            },
            remote_host: None,
        }
    );
}

#[test]
fn download_is_not_taken_for_a_loaded_model() {
    let models = parse(&native());
    assert_eq!((models[1].loaded, models[1].window, models[1].abilities.embedding), (Some(false), None, true));
}

#[test]
fn instance_with_a_name_of_its_own_can_be_asked_for() {
    let body = json!({"models": [{"type": "llm", "key": "m", "max_context_length": 65536, "loaded_instances": [
        {"id": "m:2", "config": {"context_length": 4096}},
        {"id": "m", "config": {"context_length": 16384}}
    ]}]});
    let seen: Vec<_> = parse(&body).into_iter().map(|model| (model.id.as_str().to_owned(), model.loaded, model.window)).collect();
    assert_eq!(seen, [("m".to_owned(), Some(true), Some(16384)), ("m:2".to_owned(), Some(true), Some(4096))]);
}

#[test]
fn listing_before_0_4_still_tells_what_is_loaded() {
    let body = json!({"object": "list", "data": [
        {"id": "qwen2-vl-7b-instruct", "object": "model", "type": "vlm", "arch": "qwen2_vl", "quantization": "4bit", "state": "not-loaded", "max_context_length": 32768},
        {"id": "meta-llama-3.1-8b-instruct", "type": "llm", "arch": "llama", "quantization": "Q4_K_M", "state": "loaded", "max_context_length": 131_072, "loaded_context_length": 4096}
    ]});
    let models = parse_before_0_4(&body);
    let seen: Vec<_> =
        models.iter().map(|model| (model.loaded, model.window, model.max_window, model.abilities.vision, model.abilities.family)).collect();
    assert_eq!(
        seen,
        [
            (Some(false), None, Some(32768), Some(true), TemplateFamily::ChatMl),
            (Some(true), Some(4096), Some(131_072), Some(false), TemplateFamily::Llama3),
        ]
    );
    assert_eq!(models[0].weights.bits_per_weight, Some(4.0));
}

#[test]
fn odd_types_in_one_entry_lose_no_other_entry() {
    let body = json!({"models": [
        {"key": "a", "max_context_length": "32768", "loaded_instances": null, "capabilities": [], "quantization": null, "variants": null},
        {"key": 7}, null,
        {"key": "b", "loaded_instances": [{"id": "b", "config": {"context_length": 4096.0}}]}
    ]});
    let seen: Vec<_> = parse(&body).into_iter().map(|model| (model.id.as_str().to_owned(), model.window, model.max_window)).collect();
    assert_eq!(seen, [("a".to_owned(), None, Some(32768)), ("b".to_owned(), Some(4096), None)]);
}
