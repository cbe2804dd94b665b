use serde_json::json;

use crate::servers::llama_cpp::{RouterLoad, parse, parse_router, parse_router_load, parse_slots};

#[test]
fn trained_window_is_not_the_slots_window() {
    let body = json!({"object": "list", "models": [], "data": [{
        "id": "/models/Qwen3-8B-Q4_K_M.gguf", "object": "model", "created": 1, "owned_by": "llamacpp",
        "meta": {"vocab_type": 2, "n_vocab": 151_936, "n_ctx": 8192, "n_ctx_train": 40960, "n_embd": 4096, "n_params": 8_190_735_360_u64, "size": 5_021_779_968_u64}
    }]});
    let model = &parse(&body)[0];
    assert_eq!((model.window, model.max_window, model.loaded), (Some(8192), Some(40960), Some(true)));
    assert_eq!(model.weights.quantization.as_deref(), Some("Q4_K_M"));
    assert_eq!(model.weights.bits_per_weight.map(|bits| (bits * 10.0).round()), Some(49.0));
}

#[test]
fn meta_that_is_null_while_loading_gives_no_window() {
    let body = json!({"object": "list", "data": [{"id": "m", "owned_by": "llamacpp", "meta": null}]});
    assert_eq!(parse(&body)[0].window, None);
}

#[test]
fn router_names_the_state_of_each_model() {
    let body = json!({"object": "list", "data": [
        {"id": "a", "status": {"value": "unloaded"}},
        {"id": "b", "status": {"value": "loading"}},
        {"id": "c", "status": {"value": "loaded"}},
        {"id": "d", "status": {"value": "sleeping"}}
    ]});
    let seen: Vec<_> = parse_router(&body).into_iter().map(|model| (model.loaded, model.loading)).collect();
    assert_eq!(seen, [(Some(false), false), (Some(false), true), (Some(true), false), (Some(false), false)]);
}

#[test]
fn failed_load_is_not_waited_for() {
    let body = json!({"data": [{"id": "a", "status": {"value": "unloaded", "failed": true, "exit_code": 137}}, {"id": "b", "status": {"value": "loading"}}]});
    assert_eq!(parse_router_load(&body, "a"), RouterLoad::Failed { exit_code: Some(137) });
    assert_eq!(parse_router_load(&body, "b"), RouterLoad::Loading);
    assert_eq!(parse_router_load(&body, "c"), RouterLoad::Unknown);
}

#[test]
fn slots_at_work_are_counted() {
    assert_eq!(parse_slots(&json!([{"id": 0, "is_processing": true}, {"id": 1, "is_processing": false}])), Some(1));
    assert_eq!(parse_slots(&json!({"error": {"code": 501}})), None);
}
