use krabba_types::{Fault, FaultKind, Phase};

use crate::Temper;
use crate::failover::{Change, Failover, Move, Outlook, Stage};

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, Phase::FirstToken, "failed")
}

fn every_kind() -> Vec<FaultKind> {
    vec![
        FaultKind::Loading,
        FaultKind::Busy,
        FaultKind::RateLimited,
        FaultKind::Overloaded,
        FaultKind::Overflow { limit: None, asked: None },
        FaultKind::Auth,
        FaultKind::Billing,
        FaultKind::NoSuchModel,
        FaultKind::Unsupported { field: "store".to_owned() },
        FaultKind::BadRequest,
        FaultKind::ContentPolicy,
        FaultKind::Unreachable,
        FaultKind::Stalled,
        FaultKind::Truncated,
        FaultKind::Empty,
        FaultKind::OnlyReasoning,
        FaultKind::Malformed,
        FaultKind::Looping,
        FaultKind::Cancelled,
    ]
}

const ONE_OTHER: Outlook = Outlook { others: 1, other_key: false, may_wait: false, other_dialect: false, can_load: false };
const ALONE: Outlook = Outlook { others: 0, other_key: false, may_wait: false, other_dialect: false, can_load: false };

/// The moves after the same fault again and again on one route.
fn moves(failover: &mut Failover, kind: &FaultKind, outlook: &Outlook) -> Vec<Move> {
    let mut moves = Vec::new();
    loop {
        let next = failover.after(&fault(kind.clone()), outlook);
        let over = matches!(next, Move::Next | Move::NextLarger | Move::GiveUp);
        moves.push(next);
        if over {
            return moves;
        }
        assert!(moves.len() < 20, "{kind} goes on for ever");
    }
}

#[test]
fn every_fault_before_output_leads_to_the_next_route() {
    for kind in every_kind() {
        let last = moves(&mut Failover::new(false), &kind, &ONE_OTHER).pop().unwrap();
        let expected = match kind {
            FaultKind::ContentPolicy | FaultKind::Cancelled => Move::GiveUp,
            FaultKind::Overflow { .. } => Move::NextLarger,
            _ => Move::Next,
        };
        assert_eq!(last, expected, "{kind}");
    }
}

#[test]
fn a_route_that_is_down_is_left_at_once_and_not_asked_again() {
    for kind in [FaultKind::Unreachable, FaultKind::Stalled, FaultKind::Truncated, FaultKind::Overloaded, FaultKind::Malformed] {
        assert_eq!(moves(&mut Failover::new(true), &kind, &ONE_OTHER), [Move::Next], "{kind}");
        assert_eq!(moves(&mut Failover::new(true), &kind, &ALONE), [Move::GiveUp], "{kind}");
    }
}

#[test]
fn an_overflowing_request_is_changed_once_and_then_needs_a_larger_window() {
    let kind = FaultKind::Overflow { limit: Some(4_096), asked: Some(9_000) };
    assert_eq!(moves(&mut Failover::new(true), &kind, &ONE_OTHER), [Move::Again(Change::SmallerPrompt), Move::NextLarger]);
    assert_eq!(moves(&mut Failover::new(true), &kind, &ALONE), [Move::Again(Change::SmallerPrompt), Move::GiveUp]);
}

#[test]
fn a_refused_field_is_dropped_once_and_not_for_ever() {
    let kind = |field: &str| FaultKind::Unsupported { field: field.to_owned() };
    let without = |field: &str| Move::Again(Change::WithoutField(field.to_owned()));
    assert_eq!(moves(&mut Failover::new(true), &kind("store"), &ONE_OTHER), [without("store"), Move::Next]);
    let mut failover = Failover::new(true);
    let walked: Vec<Move> = ["a", "b", "c", "d", "e"].iter().map(|field| failover.after(&fault(kind(field)), &ONE_OTHER)).collect();
    assert_eq!(walked, [without("a"), without("b"), without("c"), without("d"), Move::Next]);
}

#[test]
fn a_server_without_the_responses_api_is_asked_in_the_other_dialect_once() {
    let kind = FaultKind::Unsupported { field: "api".to_owned() };
    let outlook = Outlook { other_dialect: true, ..ONE_OTHER };
    assert_eq!(moves(&mut Failover::new(true), &kind, &outlook), [Move::Again(Change::Dialect), Move::Next]);
    assert_eq!(moves(&mut Failover::new(true), &kind, &ONE_OTHER), [Move::Next]);
}

#[test]
fn a_thinking_only_answer_is_asked_for_once_more_without_thinking() {
    for kind in [FaultKind::OnlyReasoning, FaultKind::Empty] {
        assert_eq!(moves(&mut Failover::new(false), &kind, &ONE_OTHER), [Move::Again(Change::Calmer), Move::Next], "{kind}");
        assert_eq!(moves(&mut Failover::new(false), &kind, &ALONE), [Move::Again(Change::Calmer), Move::GiveUp], "{kind}");
    }
}

#[test]
fn a_route_that_was_calm_from_the_start_is_not_asked_again_for_nothing() {
    for kind in [FaultKind::OnlyReasoning, FaultKind::Empty] {
        let mut failover = Failover::new(true);
        failover.next_route(Temper::Calm);
        assert_eq!(moves(&mut failover, &kind, &ONE_OTHER), [Move::Next], "{kind}");
        failover.next_route(Temper::Calm);
        assert_eq!(moves(&mut failover, &kind, &ALONE), [Move::GiveUp], "{kind}");
    }
}

#[test]
fn a_loading_model_is_waited_for_although_there_are_fallbacks() {
    let mut failover = Failover::new(true);
    assert_eq!(failover.after(&fault(FaultKind::Loading), &Outlook { may_wait: true, ..ONE_OTHER }), Move::Wait);
    assert_eq!(failover.after(&fault(FaultKind::Loading), &ONE_OTHER), Move::Next);
}

#[test]
fn another_key_is_tried_before_another_route() {
    for kind in [FaultKind::RateLimited, FaultKind::Auth, FaultKind::Billing] {
        let mut failover = Failover::new(true);
        assert_eq!(failover.after(&fault(kind.clone()), &Outlook { other_key: true, ..ONE_OTHER }), Move::Again(Change::Key));
        assert_eq!(failover.after(&fault(kind), &ONE_OTHER), Move::Next);
    }
}

#[test]
fn an_answer_that_broke_off_starts_anew_where_text_can_be_taken_back() {
    let mut failover = Failover::new(true);
    failover.commit();
    assert_eq!(failover.after(&fault(FaultKind::Truncated), &ONE_OTHER), Move::Next);
    let mut alone = Failover::new(true);
    alone.commit();
    assert_eq!(moves(&mut alone, &FaultKind::Truncated, &ALONE), [Move::Again(Change::Nothing), Move::GiveUp]);
}

#[test]
fn text_that_cannot_be_taken_back_is_not_followed_by_another_answer() {
    for kind in every_kind() {
        let mut failover = Failover::new(false);
        failover.commit();
        let outlook = Outlook { others: 3, other_key: true, may_wait: true, other_dialect: true, can_load: true };
        assert_eq!(failover.after(&fault(kind.clone()), &outlook), Move::GiveUp, "{kind}");
    }
}

#[test]
fn nothing_is_replayed_once_tool_calls_were_handed_over() {
    for kind in every_kind() {
        let mut failover = Failover::new(true);
        failover.commit();
        failover.calls_handed_over();
        assert_eq!(failover.stage(), Stage::SideEffect);
        let outlook = Outlook { others: 3, other_key: true, may_wait: true, other_dialect: true, can_load: true };
        assert_eq!(failover.after(&fault(kind.clone()), &outlook), Move::GiveUp, "{kind}");
    }
}

#[test]
fn a_new_route_gets_its_own_chances() {
    let mut failover = Failover::new(true);
    assert_eq!(failover.after(&fault(FaultKind::Empty), &ONE_OTHER), Move::Again(Change::Calmer));
    assert_eq!(failover.after(&fault(FaultKind::Empty), &ONE_OTHER), Move::Next);
    failover.next_route(Temper::Usual);
    assert_eq!(failover.after(&fault(FaultKind::Empty), &ALONE), Move::Again(Change::Calmer));
}
