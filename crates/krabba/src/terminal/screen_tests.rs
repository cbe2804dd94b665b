use super::screen::{Live, Prompt, Screen};
use super::style::{Colours, Line, Style};

/// A terminal as small as the escape codes that the screen uses: it knows `\r`, `\n`, `CSI nA`, `CSI nC`, `CSI J`.
#[derive(Default)]
struct Terminal {
    rows: Vec<String>,
    row: usize,
    column: usize,
}

impl Terminal {
    fn play(bytes: &[u8]) -> Self {
        let mut terminal = Self { rows: vec![String::new()], ..Self::default() };
        let text = std::str::from_utf8(bytes).unwrap();
        let mut letters = text.chars();
        while let Some(c) = letters.next() {
            match c {
                '\r' => terminal.column = 0,
                '\n' => {
                    terminal.row += 1;
                    if terminal.row == terminal.rows.len() {
                        terminal.rows.push(String::new());
                    }
                }
                '\x1b' => {
                    assert_eq!(letters.next(), Some('['));
                    let mut number = String::new();
                    let code = loop {
                        match letters.next().unwrap() {
                            digit if digit.is_ascii_digit() => number.push(digit),
                            code => break code,
                        }
                    };
                    let count = number.parse().unwrap_or(1);
                    match code {
                        'A' => terminal.row -= count,
                        'C' => terminal.column += count,
                        'J' => {
                            terminal.rows.truncate(terminal.row + 1);
                            let kept = terminal.rows[terminal.row].chars().take(terminal.column).collect();
                            terminal.rows[terminal.row] = kept;
                        }
                        other => panic!("unexpected code {other}"),
                    }
                }
                c => {
                    let mut letters: Vec<char> = terminal.rows[terminal.row].chars().collect();
                    letters.resize(letters.len().max(terminal.column + 1), ' ');
                    letters[terminal.column] = c;
                    terminal.rows[terminal.row] = letters.into_iter().collect();
                    terminal.column += 1;
                }
            }
        }
        terminal
    }
}

fn line(text: &str) -> Line {
    Line::of(text, Style::default())
}

fn prompt(text: &str, before_cursor: &str) -> Option<Prompt> {
    Some(Prompt { text: text.to_owned(), before_cursor: before_cursor.to_owned() })
}

fn shown(draw: impl FnOnce(&mut Screen<&mut Vec<u8>>)) -> (Vec<String>, (usize, usize)) {
    let mut bytes = Vec::new();
    draw(&mut Screen::new(&mut bytes, Colours::Off, 40, 10));
    let terminal = Terminal::play(&bytes);
    (terminal.rows, (terminal.row, terminal.column))
}

#[test]
fn text_is_printed_above_the_message_being_written() {
    let (rows, cursor) = shown(|screen| {
        screen.show(Live { status: Some(line("… waiting")), prompt: prompt("hel", "he"), ..Live::default() }).unwrap();
        screen.print(&[line("one"), line("two")]).unwrap();
    });
    assert_eq!(rows, ["one", "two", "… waiting", "› hel"]);
    assert_eq!(cursor, (3, 4));
}

#[test]
fn a_status_that_ends_leaves_no_trace() {
    let (rows, _) = shown(|screen| {
        screen
            .show(Live { status: Some(line("a long status line")), prompt: prompt("", ""), answer: vec![line("half")], ..Live::default() })
            .unwrap();
        screen.show(Live { prompt: prompt("", ""), ..Live::default() }).unwrap();
    });
    assert_eq!(rows, ["› "]);
}

#[test]
fn an_answer_on_the_screen_can_be_taken_back_and_one_that_scrolled_out_cannot() {
    let (rows, _) = shown(|screen| {
        screen.print(&[line("before")]).unwrap();
        screen.show(Live { prompt: prompt("", ""), ..Live::default() }).unwrap();
        screen.print(&[line("wrong 1"), line("wrong 2")]).unwrap();
        assert!(screen.take_back(2).unwrap());
    });
    assert_eq!(rows, ["before", "› "]);
    shown(|screen| assert!(!screen.take_back(50).unwrap()));
}

#[test]
fn the_cursor_stands_in_the_right_row_of_a_long_message() {
    let (rows, cursor) = shown(|screen| {
        screen.show(Live { prompt: prompt(&"x".repeat(50), &"x".repeat(40)), ..Live::default() }).unwrap();
    });
    assert_eq!(rows, [format!("› {}", "x".repeat(37)), format!("  {}", "x".repeat(13))]);
    assert_eq!(cursor, (1, 5));
}

#[test]
fn the_cursor_of_a_message_taller_than_the_terminal_is_on_it() {
    let text: String = (0..30).map(|number| format!("line {number}\n")).collect();
    let at = |before: &str| {
        shown(|screen| {
            screen.show(Live { status: Some(line("… waiting")), prompt: prompt(&text, before), ..Live::default() }).unwrap();
        })
    };
    let (rows, cursor) = at(&text);
    assert_eq!((rows.len(), rows[0].as_str(), cursor), (9, "  line 22", (8, 2)));
    let (rows, cursor) = at("line 0\nline 1\nli");
    assert_eq!((rows.len(), rows[cursor.0].as_str(), cursor.1), (9, "  line 2", 4));
}
