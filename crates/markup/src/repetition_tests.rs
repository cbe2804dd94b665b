use crate::{Repetition, RepetitionGuard};

/// The first report, and how many bytes had been pushed by then.
fn watch(text: &str) -> Option<(Repetition, usize)> {
    watch_with(RepetitionGuard::new(), text)
}

fn watch_with(mut guard: RepetitionGuard, text: &str) -> Option<(Repetition, usize)> {
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

#[test]
fn a_file_that_repeats_itself_is_no_loop() {
    let samples = [
        "hello\\n".repeat(2_000),
        "A".repeat(16 * 1024),
        "0,0,0,0,0,0,0,0\\n".repeat(1_000),
        format!("{}\\n", "-".repeat(79)).repeat(200),
        "| --- | --- | --- |\\n".repeat(500),
        "    <td class=\\\"cell\\\"></td>\\n".repeat(400),
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit. ".repeat(200),
    ];
    for sample in samples {
        let arguments = format!("{{\"path\": \"a.txt\", \"content\": \"{sample}\"}}");
        assert_eq!(watch_with(RepetitionGuard::patient(), &arguments), None, "{arguments:.200}");
        assert!(watch(&arguments).is_some(), "{arguments:.200}");
    }
}

#[test]
fn even_a_file_ends_somewhere() {
    let before = prose(300);
    let pattern = format!("{}b", "a".repeat(700));
    for cycle in ["and so it goes on. ", "A", "0,", "<tool_call>{\"name\": \"exec\"}</tool_call>\n", &pattern] {
        let text = format!("{before}{}", cycle.repeat(100_000 / cycle.len()));
        let (found, pushed) = watch_with(RepetitionGuard::patient(), &text).unwrap_or_else(|| panic!("{cycle:.40}"));
        assert_eq!((found.kept, found.cycle), (before.len() + cycle.len(), cycle.len()), "{cycle:.40}");
        assert!((32 * 1024..80 * 1024).contains(&pushed) && found.copies > 32 * 1024 / cycle.len() - 1, "{cycle:.40} after {pushed}");
    }
    let interrupted = format!("{}!", "and so it goes on. ".repeat(1_000)).repeat(3);
    assert_eq!(watch_with(RepetitionGuard::patient(), &interrupted), None);
}
