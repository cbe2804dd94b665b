use krabba_net::Url;
use krabba_types::{ModelId, Residency, ServerKind};

use crate::{Report, ServerModel, infer_residency, model_residency, url_residency, why_hosted};

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn addresses_are_as_far_away_as_they_look() {
    let cases = [
        ("http://localhost:1234/v1", Residency::Device),
        ("http://[::1]:1234", Residency::Device),
        ("http://127.0.0.2:8080", Residency::Device),
        ("http://host.docker.internal:11434", Residency::Device),
        ("http://host.containers.internal:11434", Residency::Device),
        ("http://192.168.1.20:1234", Residency::Lan),
        ("http://gpubox:8000", Residency::Lan),
        ("http://gpubox.local:8000", Residency::Lan),
        ("http://[fd00::1]:8000", Residency::Lan),
        ("http://172.32.0.1:8000", Residency::Hosted),
        ("http://10.1.2.3:8000", Residency::Lan),
        ("http://gpubox.home.arpa:8000", Residency::Lan),
        ("http://100.64.1.2:8000", Residency::Hosted),
        ("http://vm.c.project.internal:8000", Residency::Hosted),
        ("https://api.openai.com/v1", Residency::Hosted),
        ("http://127.0.0.1.evil.example", Residency::Hosted),
    ];
    for (text, expected) in cases {
        assert_eq!(url_residency(&url(text)), expected, "{text}");
    }
}

#[test]
fn proxy_on_this_machine_is_not_device() {
    let at = url("http://127.0.0.1:4000/v1");
    assert_eq!(infer_residency(&at, &Report::new(ServerKind::LiteLlm)), Residency::Hosted);
    assert_eq!(infer_residency(&at, &Report::new(ServerKind::LlamaCpp)), Residency::Device);
}

#[test]
fn cloud_model_of_a_local_ollama_leaves_home_and_its_neighbour_does_not() {
    let at = url("http://127.0.0.1:11434/v1");
    let mut report = Report::new(ServerKind::Ollama);
    let mut forwarded = ServerModel::new("kimi-k2:1t");
    forwarded.remote_host = Some("https://ollama.com:443".to_owned());
    report.models = vec![forwarded, ServerModel::new("qwen3:8b")];
    let place = |model: &str| model_residency(&at, &report, &ModelId::new(model));
    assert_eq!(place("kimi-k2:1t"), Residency::Hosted);
    assert_eq!(place("gpt-oss:120b-cloud"), Residency::Hosted, "a name that the listing lost");
    assert_eq!(place("qwen3:8b"), Residency::Device);
    assert_eq!(infer_residency(&at, &report), Residency::Device);
}

#[test]
fn owner_is_told_why_and_what_may_be_declared() {
    let why = |at: &str, kind, model: &str, remote: Option<&str>| {
        let mut report = Report::new(kind);
        report.models = vec![ServerModel::new(model)];
        report.models[0].remote_host = remote.map(str::to_owned);
        why_hosted(&url(at), &report, &ModelId::new(model)).map(|why| (why.because, why.may_be))
    };
    let counts = |because: &str| format!("{because}, so it counts as hosted");
    let proxy = counts("LiteLLM may pass conversations on to others");
    assert_eq!(why("http://localhost:4000", ServerKind::LiteLlm, "m", Some("http://x")), Some((proxy.clone(), Some(Residency::Device))));
    assert_eq!(why("http://192.168.1.20:4000", ServerKind::LiteLlm, "m", None), Some((proxy, Some(Residency::Lan))));
    let far = counts("its address is outside of your own network");
    assert_eq!(why("http://100.64.1.2:8000", ServerKind::Vllm, "m", None), Some((far, Some(Residency::Lan))));
    let cloud = |elsewhere: &str| Some((counts(&format!("Ollama only passes it on to {elsewhere}")), None));
    assert_eq!(why("http://localhost:11434", ServerKind::Ollama, "kimi-k2:1t", Some("ollama.com")), cloud("ollama.com"));
    assert_eq!(why("http://localhost:11434", ServerKind::Ollama, "glm-4.6:cloud", None), cloud("somebody else's machine"));
    assert_eq!(why("http://localhost:11434", ServerKind::Ollama, "qwen3:8b", None), None);
}
