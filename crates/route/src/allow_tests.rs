use crate::allow::{Allow, AllowPattern};
use crate::test_settings::reference;

fn only(patterns: &[&str]) -> Allow {
    let patterns = patterns.iter().map(|pattern| AllowPattern::parse(pattern).unwrap()).collect();
    Allow::Only { patterns, origin: "openclaw.json:12:7 (agents.defaults.models)".to_owned() }
}

#[test]
fn a_refusal_that_names_no_line_cannot_be_mended() {
    let denied = only(&["anthropic/claude-opus-4-6"]).check(&reference("openrouter/minimax/minimax-m2.1")).unwrap_err();
    assert_eq!(
        denied.to_string(),
        "\"openrouter/minimax/minimax-m2.1\" is not on the list of allowed models at openclaw.json:12:7 (agents.defaults.models); add \
         \"openrouter/minimax/minimax-m2.1\" or \"openrouter/*\" there"
    );
}

#[test]
fn wildcards_reach_whole_namespaces_and_no_further() {
    let allow = only(&["lmstudio/*", "openrouter/minimax/*"]);
    let allowed: Vec<bool> = ["lmstudio/a/b:c@d", "openrouter/minimax/minimax-m2", "openrouter/minimaxi/x", "groq/lmstudio/x"]
        .iter()
        .map(|text| allow.check(&reference(text)).is_ok())
        .collect();
    assert_eq!(allowed, [true, true, false, false]);
}

#[test]
fn a_star_inside_of_an_id_is_a_letter_of_it() {
    assert_eq!(AllowPattern::parse("x/model*"), Some(AllowPattern::Model(reference("x/model*"))));
}

#[test]
fn no_list_is_no_limit() {
    assert_eq!(Allow::Everything.check(&reference("anything/at-all")), Ok(()));
}
