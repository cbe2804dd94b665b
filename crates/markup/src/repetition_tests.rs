use crate::{Repetition, RepetitionGuard};

/// The first report, and how many bytes had been pushed by then.
fn watch(text: &str) -> Option<(Repetition, usize)> {
    let mut guard = RepetitionGuard::new();
    text.char_indices().find_map(|(at, character)| {
        let mut buffer = [0; 4];
        guard.push(character.encode_utf8(&mut buffer)).map(|found| (found, at + character.len_utf8()))
    })
}

/// Text without repetition: every word is different. Ends in a character that no cycle of these tests holds.
fn prose(words: usize) -> String {
    let mut prose: String = (0..words).map(|number| format!("word{} ", number * number * 7919 % 100_003)).collect();
    prose.push('.');
    prose
}

#[test]
fn a_cycle_of_any_length_is_noticed_soon_after_six_copies() {
    let before = prose(300);
    for words in [1, 2, 3, 7, 20, 60, 120, 200] {
        let cycle: String = (0..words).map(|word| format!("loop{word} ")).collect();
        let text = format!("{before}{}", cycle.repeat(6 + 600 / cycle.len() + 1));
        let (found, pushed) = watch(&text).unwrap_or_else(|| panic!("{words} words were not noticed"));
        assert_eq!((found.kept, found.cycle), (before.len() + cycle.len(), cycle.len()), "{words} words");
        assert!(pushed <= before.len() + 6 * cycle.len() + 512, "{words} words were noticed after {pushed} bytes");
    }
}

#[test]
fn a_single_character_without_end_is_noticed() {
    let text = format!("Sure. {}", "!".repeat(400));
    let (found, pushed) = watch(&text).unwrap();
    assert_eq!((found.kept, found.cycle), (7, 1));
    assert!(pushed < 150, "after {pushed} bytes");
}

#[test]
fn kept_is_a_character_boundary() {
    let text = format!("你好。{}", "哈哈嘿".repeat(200));
    let (found, _) = watch(&text).unwrap();
    assert_eq!(text.get(..found.kept), Some("你好。哈哈嘿"));
}

#[test]
fn a_far_away_cycle_survives_a_long_answer() {
    let before = prose(20_000);
    let text = format!("{before}{}", "and again, and again; ".repeat(60));
    let (found, _) = watch(&text).unwrap();
    assert_eq!((found.kept, found.cycle), (before.len() + 22, 22));
}

#[test]
fn layout_is_not_a_loop() {
    let table: String = (0..30).map(|_| "| --- | --- | --- |\n").collect();
    let samples = [
        "-".repeat(200),
        "=".repeat(400),
        "─".repeat(200),
        " ".repeat(300),
        "- - - ".repeat(60),
        "00 ".repeat(256),
        "0, ".repeat(200),
        "[0, 0, 0],\n".repeat(60),
        table,
        format!("```\n{}```\n", "    println!(\"hello\");\n".repeat(10)),
        "<td></td>\n".repeat(20),
        "    assert_eq!(left, right);\n".repeat(8),
        "ha".repeat(40),
        "no, ".repeat(20),
        "| yes | no |\n".repeat(15),
    ];
    for sample in samples {
        let text = format!("Here it is:\n\n{sample}\n\nThat was it.");
        assert_eq!(watch(&text), None, "{sample}");
    }
}

#[test]
fn even_layout_ends_somewhere() {
    for endless in ["-", "0 ", "─", "\n", "| | |\n"] {
        let text = endless.repeat(4_000 / endless.len());
        assert!(watch(&text).is_some(), "{endless:?}");
    }
}

#[test]
fn where_pieces_are_cut_does_not_matter_and_it_speaks_once() {
    let text = format!("{}{}", prose(50), "the same line again\n".repeat(60));
    let whole = RepetitionGuard::new().push(&text);
    assert_eq!(whole, watch(&text).map(|(found, _)| found));
    let mut guard = RepetitionGuard::new();
    let reports: Vec<Repetition> = text.split_inclusive('\n').filter_map(|line| guard.push(line)).collect();
    assert_eq!(reports, whole.into_iter().collect::<Vec<_>>());
}
