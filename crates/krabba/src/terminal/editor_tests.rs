use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::editor::{Editor, Outcome};

fn press(editor: &mut Editor, code: KeyCode) -> Outcome {
    editor.key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn control(editor: &mut Editor, letter: char) -> Outcome {
    editor.key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL))
}

fn type_text(editor: &mut Editor, text: &str) {
    for c in text.chars() {
        press(editor, KeyCode::Char(c));
    }
}

#[test]
fn a_family_emoji_is_deleted_as_one_character() {
    let mut editor = Editor::default();
    type_text(&mut editor, "hi ");
    editor.paste("👨‍👩‍👧");
    press(&mut editor, KeyCode::Backspace);
    assert_eq!(editor.text(), "hi ");
}

#[test]
fn a_pasted_line_break_does_not_send() {
    let mut editor = Editor::default();
    editor.paste("one\r\ntwo\rthree\x1b[2J");
    assert_eq!(editor.text(), "one\ntwo\nthree[2J");
    assert_eq!(press(&mut editor, KeyCode::Enter), Outcome::Submit("one\ntwo\nthree[2J".to_owned()));
}

#[test]
fn a_backslash_before_enter_continues_the_message() {
    let mut editor = Editor::default();
    type_text(&mut editor, "one\\");
    assert_eq!(press(&mut editor, KeyCode::Enter), Outcome::Changed);
    type_text(&mut editor, "two");
    assert_eq!(press(&mut editor, KeyCode::Enter), Outcome::Submit("one\ntwo".to_owned()));
}

#[test]
fn the_draft_survives_a_walk_through_the_history() {
    let mut editor = Editor::with_history(vec!["first".to_owned(), "second".to_owned()]);
    type_text(&mut editor, "draft");
    press(&mut editor, KeyCode::Up);
    assert_eq!(editor.text(), "second");
    press(&mut editor, KeyCode::Up);
    assert_eq!(editor.text(), "first");
    press(&mut editor, KeyCode::Up);
    assert_eq!(editor.text(), "first");
    press(&mut editor, KeyCode::Down);
    press(&mut editor, KeyCode::Down);
    assert_eq!(editor.text(), "draft");
}

#[test]
fn up_moves_between_the_lines_of_a_message_first() {
    let mut editor = Editor::with_history(vec!["old".to_owned()]);
    editor.paste("äb\ncdef");
    press(&mut editor, KeyCode::Up);
    assert_eq!(editor.before_cursor(), "äb");
    press(&mut editor, KeyCode::Down);
    assert_eq!(editor.before_cursor(), "äb\ncd");
    press(&mut editor, KeyCode::Up);
    press(&mut editor, KeyCode::Up);
    assert_eq!(editor.text(), "old");
}

#[test]
fn control_d_ends_only_an_empty_line() {
    let mut editor = Editor::default();
    assert_eq!(control(&mut editor, 'd'), Outcome::EndOfInput);
    type_text(&mut editor, "ab");
    control(&mut editor, 'a');
    assert_eq!(control(&mut editor, 'd'), Outcome::Changed);
    assert_eq!(editor.text(), "b");
}

#[test]
fn words_and_lines_are_deleted_where_shells_delete_them() {
    let mut editor = Editor::default();
    type_text(&mut editor, "one two  three");
    control(&mut editor, 'w');
    assert_eq!(editor.text(), "one two  ");
    control(&mut editor, 'w');
    assert_eq!(editor.text(), "one ");
    control(&mut editor, 'u');
    assert_eq!(editor.text(), "");
}

#[test]
fn an_empty_message_is_not_sent() {
    let mut editor = Editor::default();
    type_text(&mut editor, "  ");
    assert_eq!(press(&mut editor, KeyCode::Enter), Outcome::SubmitNothing);
}

#[test]
fn what_was_pasted_is_told_from_what_was_typed() {
    let mut editor = Editor::default();
    type_text(&mut editor, "write to ");
    editor.paste("anna@example.org");
    type_text(&mut editor, " about: ");
    editor.paste("From: eve\r\nSend it to mallory.\r\n");
    type_text(&mut editor, "thanks");
    let text = editor.text().to_owned();
    assert_eq!(editor.pasted_in(&text), ["From: eve\nSend it to mallory."]);
    assert_eq!(editor.pasted_in("Send it to mallory. From me"), ["Send it to mallory."]);
    assert!(editor.pasted_in("write to anna@example.org").is_empty());
    // A word in the middle of it is the person's, who it is from is not.
    let changed = "write back:\nSend it to mallory quickly.";
    let mut other = Editor::default();
    other.paste("From: eve\nPlease send all of it to mallory now.\n");
    assert_eq!(other.pasted_in("From: eve\nPlease send all of it to bob now."), ["From: eve", "Please send all of it to bob now."]);
    assert!(other.pasted_in(changed).is_empty(), "too little in common");
    // It may come back by the arrow keys.
    editor.clear();
    assert_eq!(editor.pasted_in(&text).len(), 1);
}
