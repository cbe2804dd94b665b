use krabba_types::{ServerKind, TemplateFamily};
use serde_json::json;

use crate::Report;
use crate::asker::Answer;
use crate::servers::{litellm, local_ai, openai_style, sglang, vllm};

#[test]
fn vllm_listing_is_the_real_window() {
    let body = json!({"object": "list", "data": [{"id": "Qwen/Qwen3-32B-AWQ", "object": "model", "owned_by": "vllm", "root": "x", "max_model_len": 32768}]});
    let model = &vllm::parse(&body)[0];
    assert_eq!(
        (model.loaded, model.window, model.weights.parameters, model.weights.bits_per_weight),
        (Some(true), Some(32768), Some(32.0), Some(4.3))
    );
}

#[test]
fn sglang_pool_smaller_than_the_model_is_the_window() {
    let mut report = Report::new(ServerKind::Sglang);
    report.models = vllm::parse(&json!({"data": [{"id": "google/gemma-3-4b-it", "owned_by": "sglang", "max_model_len": 131_072}]}));
    sglang::apply_server_info(&mut report, &json!({"version": "0.5.23", "max_total_num_tokens": 60000, "max_running_requests": 48}));
    sglang::apply_model_info(
        &mut report,
        &json!({"model_path": "google/gemma-3-4b-it", "is_generation": true, "has_image_understanding": true}),
    );
    assert_eq!((report.models[0].window, report.slots, report.version.as_deref()), (Some(60000), Some(48), Some("0.5.23")));
    assert_eq!((report.models[0].abilities.vision, report.models[0].abilities.family), (Some(true), TemplateFamily::Gemma));
}

#[test]
fn price_table_of_litellm_is_a_bound_and_no_window() {
    let mut models = openai_style::parse(&json!({"data": [{"id": "local", "owned_by": "openai"}], "object": "list"}));
    litellm::apply_info(
        &mut models,
        &json!({"data": [{"model_name": "local", "litellm_params": {"api_base": "http://127.0.0.1:8080/v1"},
                "model_info": {"max_input_tokens": 128_000, "supports_vision": false, "supports_function_calling": true}}]}),
    );
    assert_eq!((models[0].window, models[0].max_window, models[0].abilities.tools), (None, Some(128_000), Some(true)));
}

#[test]
fn model_of_litellm_that_draws_or_speaks_is_not_offered() {
    let listed = litellm::parse(&json!({"object": "list", "data": [
        {"id": "local", "owned_by": "openai"}, {"id": "openai/sora-2", "owned_by": "openai", "mode": "video_generation"},
        {"id": "openai/tts-1", "mode": "audio_speech"}, {"id": "openai/gpt-5", "mode": "chat"}, {"id": "openai/gpt-5-pro", "mode": "responses"},
    ]}));
    assert_eq!(listed.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["local", "openai/gpt-5", "openai/gpt-5-pro"]);
}

#[test]
fn litellm_that_hides_its_version_is_no_model_of_this_machine() {
    let readiness = |json| Answer { status: 200, json: Some(json), ..Answer::default() };
    assert!(litellm::recognise_readiness(&readiness(json!({"status": "healthy", "db": "Not connected"}))));
    assert!(litellm::recognise_readiness(&readiness(json!({"status": "connected", "litellm_version": "1.72.0"}))));
    assert!(!litellm::recognise_readiness(&readiness(json!({"status": "ok"}))));
}

#[test]
fn openrouter_listing_gives_the_providers_window() {
    let body = json!({"data": [{"id": "minimax/minimax-m2", "context_length": 204_800, "top_provider": {"context_length": 196_608},
        "architecture": {"input_modalities": ["text", "image"]}, "supported_parameters": ["tools", "temperature"]}]});
    let model = &openai_style::parse(&body)[0];
    assert_eq!((model.window, model.max_window, model.loaded), (Some(196_608), Some(204_800), None));
    assert_eq!((model.abilities.vision, model.abilities.tools), (Some(true), Some(true)));
}

#[test]
fn local_ai_names_what_is_in_memory() {
    let mut models =
        openai_style::parse(&json!({"object": "list", "data": [{"id": "a", "object": "model"}, {"id": "b", "object": "model"}]}));
    local_ai::apply_system(&mut models, &json!({"backends": ["llama-cpp"], "loaded_models": [{"id": "b"}]}));
    assert_eq!(models.iter().map(|model| model.loaded).collect::<Vec<_>>(), [Some(false), Some(true)]);
}
