use krabba_types::Residency;

use crate::residency::{ConfigError, ResidencyPolicy, check};
use crate::settings::Selection;
use crate::test_settings::local_first;

fn region(code: &str) -> Residency {
    Residency::Region(code.to_owned())
}

fn every_place() -> [Residency; 5] {
    [Residency::Device, Residency::Lan, region("eu"), region("us"), Residency::Hosted]
}

#[test]
fn a_nearer_place_is_never_refused() {
    let policy = ResidencyPolicy::up_to([region("eu")]);
    let permitted: Vec<Residency> = every_place().into_iter().filter(|place| policy.permits(place)).collect();
    assert_eq!(permitted, [Residency::Device, Residency::Lan, region("eu")]);
}

#[test]
fn an_empty_policy_is_this_machine_and_not_everything() {
    assert_eq!(ResidencyPolicy::up_to([]), ResidencyPolicy::device());
}

#[test]
fn tightening_never_permits_what_one_of_the_two_refuses() {
    let policies = || {
        every_place()
            .into_iter()
            .map(|place| ResidencyPolicy::up_to([place]))
            .chain([ResidencyPolicy::up_to([region("eu"), region("us")]), ResidencyPolicy::up_to([region("eu"), Residency::Hosted])])
    };
    for one in policies() {
        for two in policies() {
            let both = one.tightened_by(&two);
            for place in every_place() {
                assert_eq!(both.permits(&place), one.permits(&place) && two.permits(&place), "{one} and {two} at {place}");
            }
        }
    }
}

#[test]
fn a_session_cannot_loosen_its_owners_policy() {
    let home = ResidencyPolicy::home();
    assert_eq!(home.tightened_by(&ResidencyPolicy::anywhere()), home);
}

#[test]
fn a_hosted_fallback_of_a_private_configuration_is_refused_when_it_is_loaded() {
    let mut settings = local_first();
    settings.residency = ResidencyPolicy::home();
    let said: Vec<String> = check(&settings).iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "krabba.json5:5:7: \"anthropic/claude-sonnet-4-5\" is hosted, but privacy.residency for the defaults permits only lan; \
             remove it, or permit hosted",
            "krabba.json5:6:7: \"Opus\" is hosted, but privacy.residency for the defaults permits only lan; remove it, or permit hosted",
        ]
    );
}

#[test]
fn a_private_agent_may_not_inherit_hosted_fallbacks_unseen() {
    let mut settings = local_first();
    let private = Selection { residency: Some(ResidencyPolicy::device()), ..Selection::default() };
    settings.agents.insert(krabba_types::AgentId::new("diary"), private);
    let origins: Vec<String> = check(&settings).into_iter().map(|ConfigError { origin, .. }| origin).collect();
    assert_eq!(origins, ["krabba.json5:5:7", "krabba.json5:6:7"]);
}

#[test]
fn an_open_configuration_has_nothing_to_refuse() {
    assert_eq!(check(&local_first()), []);
}
