use krabba_types::{ModelId, Residency, ServerKind};

use crate::{Machine, Recommendation, Report, ServerModel, ServerState, WhyHosted, recommend};

fn machine() -> Machine {
    Machine { memory_bytes: Some(16_000_000_000), video_bytes: None, card: None }
}

fn report(kind: ServerKind, models: Vec<ServerModel>) -> Report {
    let mut report = Report::new(kind);
    report.url = "http://localhost:1234/v1".to_owned();
    report.models = models;
    report
}

fn cold(id: &str) -> ServerModel {
    let mut model = ServerModel::new(id);
    model.loaded = Some(false);
    model
}

fn chosen(models: Vec<ServerModel>) -> Option<String> {
    recommend(&[report(ServerKind::LmStudio, models)], &machine()).map(|recommendation| recommendation.model.as_str().to_owned())
}

#[test]
fn largest_on_disk_is_not_chosen_when_it_does_not_fit() {
    assert_eq!(
        chosen(vec![cold("qwen3-4b-q4_k_m"), cold("llama-70b-q4_k_m"), cold("qwen3-8b-q4_k_m")]).as_deref(),
        Some("qwen3-8b-q4_k_m")
    );
}

#[test]
fn loaded_model_goes_before_a_larger_cold_one() {
    let mut loaded = ServerModel::new("qwen3-4b-q4_k_m");
    loaded.loaded = Some(true);
    loaded.window = Some(4096);
    loaded.max_window = Some(131_072);
    let found = recommend(&[report(ServerKind::LmStudio, vec![cold("qwen3-8b-q4_k_m"), loaded])], &machine());
    assert_eq!(
        found,
        Some(Recommendation {
            url: "http://localhost:1234/v1".to_owned(),
            model: ModelId::new("qwen3-4b-q4_k_m"),
            hosted: None,
            why: "LM Studio has it loaded, so it answers at once (4.0 billion parameters, Q4_K_M)".to_owned(),
            warnings: vec![
                "its window is only 4,096 tokens, which leaves little room for a conversation; reload it in LM Studio with a context length of 32768 (`lms load qwen3-4b-q4_k_m --context-length 32768`)".to_owned(),
                "qwen3-8b-q4_k_m at LM Studio is larger and would fit too, once it is loaded".to_owned(),
            ],
        })
    );
}

#[test]
fn embedding_model_is_never_recommended() {
    let mut embedding = cold("text-embedding-nomic-embed-text-v1.5");
    embedding.loaded = Some(true);
    assert_eq!(chosen(vec![embedding.clone(), cold("qwen3-4b")]).as_deref(), Some("qwen3-4b"));
    assert_eq!(chosen(vec![embedding]), None);
}

#[test]
fn cloud_model_behind_a_local_address_is_never_recommended_before_one_at_home() {
    let mut cloud = cold("gpt-oss:120b-cloud");
    cloud.loaded = Some(true);
    cloud.remote_host = Some("https://ollama.com".to_owned());
    let reports = [report(ServerKind::Ollama, vec![cloud, cold("qwen3:4b")]), report(ServerKind::LiteLlm, vec![cold("claude")])];
    assert_eq!(recommend(&reports, &machine()).map(|found| found.model), Some(ModelId::new("qwen3:4b")));
}

#[test]
fn model_behind_a_proxy_is_offered_where_there_is_no_other_and_called_hosted() {
    let proxy = report(ServerKind::LiteLlm, vec![cold("text-embedding-3"), cold("openai/*"), cold("local"), cold("claude")]);
    let because = "LiteLLM may pass conversations on to others, so it counts as hosted";
    assert_eq!(
        recommend(&[proxy], &machine()),
        Some(Recommendation {
            url: "http://localhost:1234/v1".to_owned(),
            model: ModelId::new("local"),
            hosted: Some(WhyHosted { because: because.to_owned(), may_be: Some(Residency::Device) }),
            why: "the first that LiteLLM lists".to_owned(),
            warnings: vec![format!("{because}; if all that stands behind it is your own, `residency: \"device\"` of its provider says so")],
        })
    );
}

#[test]
fn locked_server_is_not_recommended() {
    let mut locked = report(ServerKind::Vllm, vec![cold("qwen3-4b")]);
    locked.state = ServerState::NeedsKey;
    assert_eq!(recommend(&[locked], &machine()), None);
}

#[test]
fn heavy_quantisation_is_told() {
    let found = recommend(&[report(ServerKind::LmStudio, vec![cold("qwen3-14b-q2_k")])], &machine()).unwrap();
    assert_eq!(
        found.warnings,
        [
            "it is heavily quantised (2.9 bits per weight), which costs accuracy first in tool calls and long answers; a 4-bit variant of it, or of a smaller model, answers better",
            "it is not loaded yet; the first answer waits for that",
        ]
    );
}

#[test]
fn something_is_named_even_when_nothing_fits() {
    let found = recommend(&[report(ServerKind::LmStudio, vec![cold("llama-70b-q4_k_m"), cold("qwen3-32b-q4_k_m")])], &machine()).unwrap();
    assert_eq!(found.model, ModelId::new("qwen3-32b-q4_k_m"));
    assert!(found.warnings.iter().any(|warning| warning.contains("more than this machine can give")), "{:?}", found.warnings);
}

#[test]
fn nothing_is_called_the_largest_where_no_size_is_known() {
    let found = recommend(&[report(ServerKind::LlamaCpp, vec![cold("mine"), cold("yours")])], &machine());
    let why = "the first that llama.cpp lists; it does not say how large its models are";
    assert_eq!(found.map(|found| (found.model, found.why)), Some((ModelId::new("mine"), why.to_owned())));
}
