use krabba_types::TemplateFamily;
use serde_json::json;

use crate::ReasoningAbility;
use crate::servers::ollama::{apply_ps, apply_show, parse_tags};

fn tags() -> serde_json::Value {
    json!({"models": [
        {"name": "qwen3:8b", "model": "qwen3:8b", "size": 5_225_388_164_u64, "digest": "500a1f067a9f",
         "details": {"format": "gguf", "family": "qwen3", "families": ["qwen3"], "parameter_size": "8.2B", "quantization_level": "Q4_K_M"}},
        {"name": "gpt-oss:120b-cloud", "model": "gpt-oss:120b-cloud", "size": 384, "remote_host": "https://ollama.com:443", "remote_model": "gpt-oss:120b",
         "details": {"family": "gptoss", "parameter_size": "116.8B", "quantization_level": "MXFP4"}},
        {"name": "nomic-embed-text:latest", "size": 274_302_450, "details": {"family": "nomic-bert", "parameter_size": "137M", "quantization_level": "F16"}}
    ]})
}

#[test]
fn cloud_model_on_localhost_is_seen() {
    let models = parse_tags(&tags());
    let seen: Vec<_> = models
        .iter()
        .map(|model| (model.id.as_str(), model.remote_host.as_deref(), model.weights.size_bytes, model.abilities.embedding))
        .collect();
    assert_eq!(
        seen,
        [
            ("qwen3:8b", None, Some(5_225_388_164), false),
            ("gpt-oss:120b-cloud", Some("https://ollama.com:443"), None, false),
            ("nomic-embed-text:latest", None, Some(274_302_450), true),
        ]
    );
    assert_eq!(
        (models[0].weights.parameters, models[0].weights.bits_per_weight, models[2].weights.parameters),
        (Some(8.2), Some(4.8), Some(0.137))
    );
}

#[test]
fn model_on_disk_is_cold_until_ps_names_it() {
    let mut models = parse_tags(&tags());
    apply_ps(
        &mut models,
        &json!({"models": [{"name": "qwen3:8b", "model": "qwen3:8b", "size": 1, "size_vram": 1, "context_length": 4096}]}),
    );
    let seen: Vec<_> = models.iter().map(|model| (model.loaded, model.window)).collect();
    assert_eq!(seen, [(Some(true), Some(4096)), (Some(true), None), (Some(false), None)]);
}

#[test]
fn trained_maximum_of_show_is_not_the_window() {
    let mut models = parse_tags(&tags());
    apply_show(
        &mut models[0],
        &json!({
            "capabilities": ["completion", "tools", "thinking"], "parameters": "stop    \"<|im_start|>\"\nnum_ctx                        16384",
            "template": "{{ if .System }}<|im_start|>system",
            "model_info": {"general.architecture": "qwen3", "general.parameter_count": 8_190_735_360_u64, "qwen3.context_length": 40960}
        }),
    );
    let model = &models[0];
    assert_eq!((model.window, model.max_window), (Some(16384), Some(40960)));
    assert_eq!((model.abilities.tools, model.abilities.vision, model.abilities.family), (Some(true), Some(false), TemplateFamily::ChatMl));
    assert_eq!(model.abilities.reasoning, Some(ReasoningAbility::default()));
}

#[test]
fn file_default_does_not_hide_the_loaded_window() {
    let mut models = parse_tags(&tags());
    apply_ps(&mut models, &json!({"models": [{"name": "qwen3:8b", "context_length": 4096}]}));
    apply_show(&mut models[0], &json!({"parameters": "num_ctx 16384", "model_info": {}}));
    assert_eq!(models[0].window, Some(4096));
}
