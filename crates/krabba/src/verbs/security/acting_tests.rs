use krabba_sandbox::{Missed, Rung, Standing};

use super::acting::{billions, rung};
use super::{Findings, Severity};

fn standing(best: Option<Rung>) -> Standing {
    let above = Rung::ALL.into_iter().take_while(|rung| Some(*rung) != best);
    let missed = above.map(|rung| Missed { rung, why: "it does not start".to_owned() }).collect();
    Standing { rung: best, missed, discardable: false, hosts: false, landlock: "none".to_owned() }
}

#[test]
fn machine_that_keeps_nothing_in_is_found() {
    let found = |best| {
        let mut findings = Findings::default();
        rung(&standing(best), &mut findings);
        findings.0.into_iter().map(|finding| (finding.check_id, finding.severity)).collect::<Vec<_>>()
    };
    assert_eq!(found(None), [("sandbox.none", Severity::Warn)]);
    assert_eq!(found(Some(Rung::LandlockSeccomp)), [("sandbox.last_rung", Severity::Info)]);
    assert_eq!((found(Some(Rung::Bubblewrap)), found(Some(Rung::Namespaces))), (Vec::new(), Vec::new()));
}

#[test]
fn size_in_a_name_is_read() {
    for (name, size) in [
        ("qwen3-8b", Some(8.0)),
        ("qwen3:0.6b-q4_k_m", Some(0.6)),
        ("Qwen3-235B-A22B", Some(235.0)),
        ("mixtral-8x7b", Some(7.0)),
        ("gpt-oss:20b", Some(20.0)),
        ("glm-5", None),
        ("web", None),
        ("claude-sonnet-4.5", None),
    ] {
        assert_eq!(billions(name), size, "{name}");
    }
}
