//! What a person waits for before the first word: the bytes of the first request, as they travel.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use krabba_context::{
    Circumstances, Entry, Fragment, Input, Meter, Offered, Pictures, SystemPrompt, TextLimits, Toolset, WorkspaceFile, build, check,
    user_message,
};
use krabba_dialect::{Shape, encode};
use krabba_markup::{Telling, tell};
use krabba_types::{
    Aliases, Calling, Dialect, ModelId, ModelRef, ModelRequest, Params, Part, ProviderId, ServerKind, TemplateFamily, Thinking, Timestamp,
    ToolAbility, ToolSpec,
};
use serde_json::value::RawValue;

fn default_tools() -> Vec<ToolSpec> {
    serde_json::from_str(include_str!("data/default_tools.json")).unwrap()
}

/// Tools of other servers, which have no place in the list.
fn further() -> Vec<ToolSpec> {
    let tools = (0..40).map(|number| {
        let parameters = serde_json::json!({"type": "object", "properties": {"value": {"type": "string", "description": "A value."}}});
        ToolSpec {
            name: format!("far_away__{number}"),
            description: "Something rare. ".repeat(20),
            parameters: parameters.as_object().unwrap().clone(),
            aliases: Aliases::default(),
        }
    });
    tools.collect()
}

/// How the model is told of its tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Field,
    Words(Telling),
}

/// The bytes of tools and messages in the body of the first request.
fn first_request(dialect: Dialect, way: Way, system: &SystemPrompt, window: u32, further: &[ToolSpec]) -> usize {
    let mode = match way {
        Way::Field => ToolAbility::Native,
        Way::Words(_) => ToolAbility::Text,
    };
    let route = ModelRef::new(ProviderId::new("local"), ModelId::new("m"));
    let tools = Toolset::choose(system, window, mode, &default_tools(), further);
    assert!(tools.specs().len() >= 7, "all default tools have room at {window}");
    let at = Circumstances { at: Timestamp(1_795_365_480_000), utc_offset_minutes: 60, place: Some("terminal".to_owned()) };
    let message = user_message(&at, [Part::Text("What is the weather like in Lund today?".to_owned())]);
    let built = build(&Input {
        system,
        history: &[Entry::new(1, message)],
        keep_from: 0,
        shortened: &TextLimits::new(),
        note: None,
        route: &route,
        family: TemplateFamily::ChatMl,
        pictures: Pictures::Stubbed,
        window,
        told_for: window,
        max_output: None,
        offered: Offered { tools: tools.specs(), mode },
        meter: &Meter::new(),
    })
    .unwrap();
    assert_eq!(check(&built.messages), Ok(()));
    let request = ModelRequest {
        model: route.model.clone(),
        messages: built.messages,
        tools: tools.specs().to_vec(),
        calling: Calling::default(),
        max_output_tokens: Some(built.room),
        thinking: Thinking::Unspecified,
        params: Params::default(),
    };
    let request = match way {
        Way::Field => request,
        Way::Words(telling) => tell(request, telling, TemplateFamily::ChatMl),
    };
    let body = encode(dialect, &request, &Shape::new(ServerKind::LlamaCpp, route)).body;
    let fields: std::collections::BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&body).unwrap();
    let counted = ["tools", "messages", "input", "instructions", "system"];
    assert_eq!(fields.contains_key("tools"), way == Way::Field);
    counted.iter().filter_map(|name| fields.get(*name)).map(|field| field.get().len()).sum()
}

fn fresh() -> SystemPrompt {
    SystemPrompt::new([Fragment::identity(), Fragment::acting()])
}

/// A workspace in which its owner wrote a lot.
fn full() -> SystemPrompt {
    let text = "Ask before you send \"anything\".\n".repeat(1_500);
    let files = WorkspaceFile::ALL.into_iter().filter_map(|file| Fragment::workspace(file, &text));
    SystemPrompt::new([Fragment::identity(), Fragment::acting()].into_iter().chain(files))
}

#[test]
fn the_first_request_stays_within_its_budget_in_every_dialect() {
    let ways = [Way::Field, Way::Words(Telling::Marked), Way::Words(Telling::Object)];
    for (dialect, way) in Dialect::ALL.into_iter().flat_map(|dialect| ways.map(|way| (dialect, way))) {
        for (window, budget) in [(4_096, 4_800), (8_192, 4_800), (32_768, 12_000), (262_144, 12_000)] {
            for (system, further) in [(fresh(), Vec::new()), (full(), Vec::new()), (full(), further())] {
                let bytes = first_request(dialect, way, &system, window, &further);
                assert!(bytes <= budget, "{dialect}, {way:?}: {bytes} bytes in a window of {window}");
            }
        }
        let lean = first_request(dialect, way, &fresh(), 32_768, &[]);
        assert!(lean < 8_000, "{dialect}, {way:?}: a fresh workspace takes {lean} bytes");
    }
}
