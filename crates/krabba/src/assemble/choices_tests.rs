use krabba_config::{Env, Loaded, parse_text};
use krabba_route::ResidencyPolicy;
use krabba_types::{AgentId, Residency};

use super::choices::{agent_selections, residency};

fn loaded(text: &str) -> Loaded {
    parse_text(text, &Env::default()).expect("a configuration")
}

#[test]
fn agent_does_not_widen_what_its_owner_permits() {
    let loaded = loaded(
        r#"{ privacy: { residency: ["lan", "region:eu"] }, agents: {
            list: [{ id: "old", privacy: { residency: "hosted" } }],
            entries: { new: { privacy: { residency: "device" } }, plain: {} },
        } }"#,
    );
    let agents = agent_selections(&loaded);
    let of = |id: &str| agents.get(&AgentId::new(id)).and_then(|selection| selection.residency.clone());
    let global = ResidencyPolicy::up_to([Residency::Region("eu".to_owned())]);
    assert_eq!(residency(&loaded), global);
    assert_eq!([of("old"), of("new"), of("plain")], [Some(global), Some(ResidencyPolicy::device()), None]);
}

#[test]
fn complaint_about_an_agent_names_its_own_line() {
    let loaded = loaded(
        r#"{ agents: {
            list: [{ id: "old", model: { primary: "a/b", fallbacks: ["c/d"] } }],
            entries: { new: { model: "e/f" } },
        } }"#,
    );
    let agents = agent_selections(&loaded);
    let mut origins: Vec<String> = Vec::new();
    for selection in agents.values() {
        let fallbacks = selection.fallbacks.iter().flatten();
        origins.extend(selection.primary.iter().chain(fallbacks).map(|entry| format!("{} {}", entry.text, entry.origin)));
    }
    let expected = [
        "e/f krabba.json5:3:31 (agents.entries.new.model)",
        "a/b krabba.json5:2:42 (agents.list[0].model.primary)",
        "c/d krabba.json5:2:70 (agents.list[0].model.fallbacks[0])",
    ];
    assert_eq!(origins, expected);
}
