use krabba_guard::{Answer, Question};
use krabba_types::{Action, Control, Timestamp};

use super::approval::read_answer;

fn question(typed: Option<&str>) -> Question {
    Question {
        id: "q".to_owned(),
        action: Action::Control(Control::List),
        digest: String::new(),
        rule: "a-rule".to_owned(),
        lines: Vec::new(),
        typed: typed.map(str::to_owned),
        for_task: true,
        expires: Timestamp(0),
    }
}

#[test]
fn line_that_is_no_answer_is_a_message() {
    let (plain, typed) = (question(None), question(Some("remove notes.md")));
    assert_eq!(["y", " YES ", "t", "n"].map(|line| read_answer(&plain, line)), {
        [Some(Answer::Approve), Some(Answer::Approve), Some(Answer::ApproveTask), Some(Answer::Deny)]
    });
    assert_eq!(["yes, but look at a.txt first", "", "remove notes.md"].map(|line| read_answer(&plain, line)), [None, None, None]);
    assert_eq!(read_answer(&typed, "remove notes.md"), Some(Answer::Typed("remove notes.md".to_owned())));
    // Mistyped: told again, and not passed on to the model.
    assert_eq!(read_answer(&typed, "Remove notes"), Some(Answer::Typed("Remove notes".to_owned())));
    assert_eq!(["n", "wait", "t"].map(|line| read_answer(&typed, line)), [Some(Answer::Deny), None, None]);
    // Words that have to be typed are never taken for a bare answer.
    assert_eq!(read_answer(&question(Some("yes")), "yes"), Some(Answer::Typed("yes".to_owned())));
}
