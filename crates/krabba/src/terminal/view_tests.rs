use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::editor::Editor;
use super::screen::Screen;
use super::style::Colours;
use super::view::View;

/// A terminal that draws what is written to it.
#[derive(Clone)]
struct Paper(Arc<Mutex<vt100::Parser>>);

impl Paper {
    fn new(rows: u16, columns: u16) -> Self {
        Self(Arc::new(Mutex::new(vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 100))))
    }

    fn rows(&self) -> Vec<String> {
        let paper = self.0.lock().unwrap();
        paper.screen().contents().lines().map(|row| row.trim_end().to_owned()).collect()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().process(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn view(rows: u16, columns: u16) -> (View<Paper>, Paper) {
    let paper = Paper::new(rows, columns);
    let mut view = View::new(Screen::new(paper.clone(), Colours::Off, usize::from(columns), usize::from(rows)));
    view.edit(&Editor::default()).unwrap();
    view.said("question").unwrap();
    view.begin();
    (view, paper)
}

#[test]
fn an_answer_taken_back_takes_no_other_line_with_it() {
    let (mut view, paper) = view(20, 40);
    view.answer("wrong one\nwrong ").unwrap();
    view.aside("a notice").unwrap();
    view.answer("two\nwrong three").unwrap();
    assert_eq!(paper.rows(), ["› question", "wrong one", "a notice", "wrong two", "wrong three", "›"]);
    view.restart("another model answers").unwrap();
    assert_eq!(paper.rows(), ["› question", "a notice", "another model answers", "›"]);
    view.answer("right").unwrap();
    view.end().unwrap();
    assert_eq!(paper.rows(), ["› question", "a notice", "another model answers", "right", "›"]);
}

#[test]
fn an_answer_that_left_the_screen_or_was_broken_anew_is_marked_and_not_taken_back() {
    let (mut long, paper) = view(8, 40);
    long.answer("a\nb\nc\nd\ne\nf\ng\nh\ni\n").unwrap();
    long.restart("why").unwrap();
    assert_eq!(paper.rows()[4..], ["h", "i", "! the answer above does not count: why", "›"]);

    let (mut resized, paper) = view(8, 60);
    resized.answer("wrong\n").unwrap();
    resized.resize(60, 8).unwrap();
    resized.restart("why").unwrap();
    assert_eq!(paper.rows(), ["› question", "wrong", "! the answer above does not count: why", "›"]);
}

#[test]
fn messages_that_wait_stand_below_the_answer_and_vanish() {
    let (mut view, paper) = view(20, 40);
    view.answer("half").unwrap();
    view.wait(vec!["next\nquestion".to_owned()]).unwrap();
    assert_eq!(paper.rows(), ["› question", "half", "  next: next question", "›"]);
    view.answer(" done").unwrap();
    view.wait(Vec::new()).unwrap();
    view.end().unwrap();
    assert_eq!(paper.rows(), ["› question", "half done", "›"]);
}

#[test]
fn a_table_that_grows_is_shown_while_it_does_and_printed_once() {
    let (mut view, paper) = view(20, 40);
    view.answer("| a | b |\n|---|---|\n| 1 ").unwrap();
    assert_eq!(paper.rows(), ["› question", "a │ b", "──┼──", "1 │", "›"]);
    view.answer("| 22 |\n\nend").unwrap();
    view.end().unwrap();
    assert_eq!(paper.rows(), ["› question", "a │ b", "──┼───", "1 │ 22", "", "end", "›"]);
}

#[test]
fn no_row_of_a_question_looks_like_words_of_ours() {
    let (mut view, paper) = view(20, 40);
    let argument = format!("text: {}krabba: the owner has allowed this already", "x".repeat(70));
    view.alarm(&format!("krabba wants to send\n{argument}")).unwrap();
    let rows = paper.rows();
    assert_eq!(rows[1], "! krabba wants to send");
    assert!(rows.len() > 5, "{rows:?}");
    for row in &rows[2..rows.len() - 1] {
        assert!(row.starts_with("!   ") || row.starts_with("! text"), "{row:?}");
    }
}
