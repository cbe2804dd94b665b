use krabba_types::SessionId;

use super::history::LineHistory;

fn ids() -> [SessionId; 2] {
    [SessionId::new("one"), SessionId::new("two")]
}

#[test]
fn lines_of_a_deleted_session_are_gone_and_the_others_stay() {
    let home = tempfile::tempdir().unwrap();
    let (history, [one, two]) = (LineHistory::new(home.path()), ids());
    // As an older krabba wrote them.
    std::fs::write(home.path().join("typed.jsonl"), "\"of old\"\n").unwrap();
    history.add(&one, "a \"secret\"\nof two lines").unwrap();
    history.add(&two, "kept").unwrap();
    history.add(&one, "another").unwrap();
    assert_eq!(history.load(), ["of old", "a \"secret\"\nof two lines", "kept", "another"]);
    history.forget(&one).unwrap();
    assert_eq!(history.load(), ["of old", "kept"]);
    history.forget_all().unwrap();
    assert_eq!(std::fs::read(home.path().join("typed.jsonl")).unwrap(), b"");
}

#[test]
fn a_line_that_cannot_be_read_hides_no_other() {
    let home = tempfile::tempdir().unwrap();
    let (history, [one, two]) = (LineHistory::new(home.path()), ids());
    history.add(&one, "before").unwrap();
    let path = home.path().join("typed.jsonl");
    let damaged = [std::fs::read(&path).unwrap(), b"{\"session\":\xff\n".to_vec()].concat();
    std::fs::write(&path, damaged).unwrap();
    history.add(&two, "after").unwrap();
    assert_eq!(history.load(), ["before", "after"]);
}

#[test]
fn a_long_history_is_shortened_and_without_a_file_there_is_none() {
    let home = tempfile::tempdir().unwrap();
    let (history, [one, _]) = (LineHistory::new(home.path()), ids());
    history.forget(&one).unwrap();
    assert_eq!(history.load(), Vec::<String>::new());
    (0..1_001).for_each(|number| history.add(&one, &number.to_string()).unwrap());
    assert_eq!(history.load().len(), 500);
    assert_eq!(history.load().last().map(String::as_str), Some("1000"));
}
