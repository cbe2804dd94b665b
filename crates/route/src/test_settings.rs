//! Settings for unit tests.

use krabba_types::{BoxId, Dialect, ModelId, ModelRef, ProviderId, Residency, Secret};

use crate::clocks::ClockSettings;
use crate::settings::{Alias, Configured, Extras, Hosting, Key, ModelEntry, Provider, ResidencySource, Selection, Settings};

pub(crate) fn reference(text: &str) -> ModelRef {
    ModelRef::parse(text).unwrap()
}

pub(crate) fn provider(id: &str, residency: Residency, models: &[&str]) -> Provider {
    Provider {
        id: ProviderId::new(id),
        base_url: format!("http://{id}.test/v1"),
        dialect: Dialect::OpenAiCompletions,
        keys: vec![Key { profile: format!("{id}:default"), secret: Secret::new("k"), source: "test".to_owned() }],
        missing_key: None,
        headers: Vec::new(),
        residency,
        hosting: Hosting {
            box_id: BoxId::of_address("http", &format!("{id}.test"), 80),
            residency_source: ResidencySource::Declared,
            slots: None,
            probe: false,
            service: None,
        },
        clocks: ClockSettings::default(),
        extras: Extras::default(),
        models: models.iter().map(|id| ModelEntry::new(ModelId::new(*id))).collect(),
        origin: "test".to_owned(),
        builtin: false,
    }
}

pub(crate) fn configured(text: &str, line: u32) -> Configured {
    Configured::new(text, format!("krabba.json5:{line}:7"))
}

pub(crate) fn alias(name: &str, target: &str) -> Alias {
    Alias { name: name.to_owned(), target: reference(target), origin: "test".to_owned() }
}

/// A local model with two hosted ones behind it.
pub(crate) fn local_first() -> Settings {
    Settings {
        providers: vec![
            provider("lmstudio", Residency::Device, &["minimax-m2.1-gs32"]),
            provider("anthropic", Residency::Hosted, &["claude-sonnet-4-5", "claude-opus-4-6"]),
        ],
        default: Selection {
            primary: Some(configured("lmstudio/minimax-m2.1-gs32", 4)),
            fallbacks: Some(vec![configured("anthropic/claude-sonnet-4-5", 5), configured("Opus", 6)]),
            ..Selection::default()
        },
        aliases: vec![alias("Opus", "anthropic/claude-opus-4-6"), alias("MiniMax Local", "lmstudio/minimax-m2.1-gs32")],
        ..Settings::default()
    }
}
