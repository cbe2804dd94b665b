use krabba_types::{Fault, FaultKind, Phase, Residency, RouteState};

use crate::plan::Candidate;
use crate::test_settings::reference;
use crate::told::{Instead, Memory};

fn candidate(text: &str, residency: Residency) -> Candidate {
    Candidate { reference: reference(text), endpoint: String::new(), residency, state: RouteState::Unknown, why: String::new() }
}

fn refused() -> Fault {
    Fault::new(FaultKind::Unreachable, Phase::Connect, "nothing listens at http://127.0.0.1:1234")
}

#[test]
fn a_change_of_model_is_said_once_and_its_end_too() {
    let (wanted, hosted) = (reference("lmstudio/x"), candidate("anthropic/y", Residency::Hosted));
    let mut memory = Memory::default();
    memory.meant_for_home();
    assert_eq!(memory.before(&wanted, &candidate("lmstudio/x", Residency::Device), &Instead::Nothing), None);
    assert_eq!(
        memory.before(&wanted, &hosted, &Instead::Failed(&refused())).as_deref(),
        Some("nothing listens at http://127.0.0.1:1234; asking anthropic/y instead; the conversation leaves your own machines (hosted)")
    );
    assert_eq!(memory.before(&wanted, &hosted, &Instead::Failed(&refused())), None);
    assert_eq!(memory.after(&hosted.reference), None);
    assert_eq!(memory.after(&wanted).as_deref(), Some("lmstudio/x answers again"));
    assert_eq!(memory.after(&wanted), None);
}

#[test]
fn leaving_home_by_choice_is_announced_as_well_and_once() {
    let hosted = candidate("anthropic/y", Residency::Hosted);
    let mut memory = Memory::default();
    let local = candidate("lmstudio/x", Residency::Device);
    assert_eq!(memory.before(&local.reference, &local, &Instead::Nothing), None);
    assert_eq!(
        memory.before(&hosted.reference, &hosted, &Instead::Nothing).as_deref(),
        Some("anthropic/y answers now: the conversation leaves your own machines (hosted)")
    );
    assert_eq!(memory.before(&hosted.reference, &hosted, &Instead::Nothing), None);
}

#[test]
fn a_hosted_primary_is_no_crossing() {
    let hosted = candidate("anthropic/y", Residency::Hosted);
    assert_eq!(Memory::default().before(&hosted.reference, &hosted, &Instead::Nothing), None);
}

#[test]
fn a_route_that_is_held_since_earlier_is_named() {
    let wanted = reference("anthropic/y");
    let held = RouteState::AuthFailed;
    assert_eq!(
        Memory::default().before(&wanted, &candidate("openai/z", Residency::Hosted), &Instead::Held(held)).as_deref(),
        Some("anthropic/y refused its key; asking openai/z instead")
    );
}
