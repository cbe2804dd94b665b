//! The corpus of quirks: every file is a script, says what it is, and can be served in every dialect that it claims.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{body, client};
use krabba_testkit::{Outcome, Quirk, ScriptedServer, dialect_path};

/// The words of `FaultKind::name`.
const FAULTS: &[&str] = &[
    "loading",
    "busy",
    "rateLimited",
    "overloaded",
    "overflow",
    "auth",
    "billing",
    "noSuchModel",
    "unsupported",
    "badRequest",
    "contentPolicy",
    "unreachable",
    "stalled",
    "truncated",
    "empty",
    "onlyReasoning",
    "malformed",
    "unparsed",
    "looping",
];

#[test]
fn every_quirk_says_where_it_comes_from_and_what_to_expect() {
    let quirks = Quirk::all().unwrap();
    assert!(quirks.len() >= 70, "{}", quirks.len());
    for quirk in &quirks {
        assert!(quirk.source.contains("Client: "), "{}: the comment does not say what the client does", quirk.name);
        assert!(!quirk.dialects().is_empty(), "{}: no dialect", quirk.name);
        let outcomes = quirk.dialects().into_iter().map(|dialect| quirk.expect.outcome_in(dialect).clone());
        for outcome in outcomes {
            if let Outcome::Fault(kind) = outcome {
                assert!(FAULTS.contains(&kind.as_str()), "{}: no fault is called {kind}", quirk.name);
            }
        }
    }
    let names: BTreeSet<&str> = quirks.iter().map(|quirk| quirk.name.as_str()).collect();
    assert_eq!(names.len(), quirks.len());
}

/// Serves every quirk to a client that understands nothing, and looks at the start of what comes: no quirk may answer "no
/// such path", and those that should complete must begin with status 200.
#[tokio::test]
async fn every_quirk_can_be_served() {
    let client = client();
    for quirk in Quirk::all().unwrap() {
        for dialect in quirk.dialects() {
            let server = ScriptedServer::start(quirk.script.clone()).await.unwrap();
            let body = body(dialect, &quirk.model(), &quirk.prompt(), quirk.expect.only.as_deref() != Some("whole"));
            let mut request = client.post(format!("{}{}", server.url(), dialect_path(dialect))).body(body.to_string());
            if let Some(key) = quirk.key() {
                request = request.header("authorization", format!("Bearer {key}"));
            }
            let answer = tokio::time::timeout(Duration::from_millis(700), request.send()).await;
            assert_eq!(server.generations().len(), usize::from(is_generation(&quirk)), "{} in {dialect}", quirk.name);
            if *quirk.expect.outcome_in(dialect) == Outcome::Complete {
                assert_eq!(answer.unwrap().unwrap().status(), 200, "{} in {dialect}", quirk.name);
            }
        }
    }
}

fn is_generation(quirk: &Quirk) -> bool {
    !quirk.script.strict.contains(&krabba_testkit::Strict::NoResponses)
}
