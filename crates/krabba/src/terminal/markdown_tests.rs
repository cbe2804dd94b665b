use unicode_width::UnicodeWidthStr;

use super::markdown::MarkdownLines;
use super::style::{Colours, Line};

fn plain(text: &str) -> Vec<String> {
    let mut lines = MarkdownLines::default();
    let mut rows = lines.push(text);
    rows.extend(lines.finish());
    rows.iter().flat_map(|row| row.lines(200)).map(|line| line.render(Colours::Off)).collect()
}

fn coloured(text: &str) -> Vec<String> {
    let mut lines = MarkdownLines::default();
    let mut rows = lines.push(text);
    rows.extend(lines.finish());
    rows.iter().flat_map(|row| row.lines(200)).map(|line| line.render(Colours::On)).collect()
}

#[test]
fn every_way_of_cutting_the_stream_shows_the_same() {
    let text = "# Title\n\nSome **bold** and `code`.\n\n```rust\nlet x = \"**not bold**\";\n```\n- item *one*\n1. first\n> quoted\n---\n| a | b |\n|---|--:|\n| `x` | 10 |\nend";
    let whole = plain(text);
    for cut in 0..text.len() {
        let mut lines = MarkdownLines::default();
        let (before, after) = text.split_at(cut);
        let mut rows = lines.push(before);
        rows.extend(lines.push(after));
        rows.extend(lines.finish());
        let cut_rows: Vec<String> = rows.iter().flat_map(|row| row.lines(200)).map(|line| line.render(Colours::Off)).collect();
        assert_eq!(cut_rows, whole, "cut at {cut}");
    }
    assert_eq!(
        whole,
        [
            "Title",
            "",
            "Some bold and code.",
            "",
            "```rust",
            "  let x = \"**not bold**\";",
            "```",
            "• item one",
            "1. first",
            "│ quoted",
            "────────────────────────",
            "a │  b",
            "──┼───",
            "x │ 10",
            "end"
        ]
    );
}

#[test]
fn escape_codes_of_a_model_do_not_reach_the_terminal() {
    assert_eq!(plain("a\x1b[2Jb \x07\u{9b}31m"), ["a\u{fffd}[2Jb \u{fffd}\u{fffd}31m"]);
}

#[test]
fn markup_characters_that_mean_nothing_are_kept() {
    for text in ["2 * 3 * 4", "snake_case_name", "a < b && c > d", "100%", "#hashtag", "C:\\dir", "1.5 litres", "<div>"] {
        assert_eq!(plain(text), [text]);
    }
}

#[test]
fn bold_is_bold_only_with_colours() {
    assert_eq!(coloured("a **b** c"), ["a \x1b[1mb\x1b[0m c"]);
    assert_eq!(plain("a **b** c"), ["a b c"]);
}

#[test]
fn a_link_shows_where_it_leads() {
    assert_eq!(plain("see [the bank](http://evil.example)"), ["see the bank (http://evil.example)"]);
}

#[test]
fn an_inner_fence_of_the_other_kind_does_not_close_a_block() {
    assert_eq!(plain("````\n```\nx\n````\ny"), ["````", "  ```", "  x", "````", "y"]);
}

#[test]
fn long_words_and_wide_characters_are_wrapped_at_the_width() {
    let line = Line::of("abc 日本語日本語 defghijklmnop", super::style::Style::default());
    let rows: Vec<String> = line.wrap(10, 2).iter().map(|row| row.render(Colours::Off)).collect();
    for row in line.wrap(10, 2) {
        let columns: usize = row.0.iter().map(|span| span.text.width()).sum();
        assert!(columns <= 10, "{row:?}");
    }
    assert_eq!(rows.join("").replace(' ', ""), "abc日本語日本語defghijklmnop");
}

#[test]
fn a_table_wider_than_the_terminal_breaks_its_cells_and_not_its_columns() {
    let mut lines = MarkdownLines::default();
    let mut rows = lines.push("| name | what it does |\n|:--|---|\n| 日本 | a cell with more words than fit |\n");
    rows.extend(lines.finish());
    let shown: Vec<String> = rows.iter().flat_map(|row| row.lines(24)).map(|line| line.render(Colours::Off)).collect();
    assert_eq!(
        shown,
        ["name │ what it does", "─────┼──────────────────", "日本 │ a cell with more ", "     │ words than fit",]
            .map(|row| row.trim_end().to_owned())
    );
}

#[test]
fn a_table_with_more_columns_than_room_is_shown_as_it_was_written() {
    let mut lines = MarkdownLines::default();
    let header = "| aaaaaaaaaa | bbbbbbbbbb | cccccccccc |\n|---|---|---|\n";
    let mut rows = lines.push(header);
    rows.extend(lines.finish());
    let shown: Vec<String> = rows.iter().flat_map(|row| row.lines(20)).map(|line| line.render(Colours::Off)).collect();
    assert_eq!(shown.concat().replace(' ', ""), header.replace(['\n', ' '], ""));
}

#[test]
fn bars_that_make_no_table_are_kept() {
    for text in ["a | b", "| not | a | table", "x || y"] {
        assert_eq!(plain(&format!("{text}\nnext")), [text, "next"]);
    }
    assert_eq!(plain("| `a|b` | c \\| d |\n|---|---|"), ["a|b │ c | d", "────┼──────"]);
}

#[test]
fn a_row_does_not_begin_with_the_comma_of_the_row_before() {
    let line = Line::of("one two, (three) 日本語、日本語。", super::style::Style::default());
    let rows: Vec<String> = line.wrap(8, 0).iter().map(|row| row.render(Colours::Off)).collect();
    assert_eq!(rows, ["one two,", "(three) ", "日本語、", "日本語。"]);
}

#[test]
fn a_paragraph_with_tabs_is_as_wide_as_it_looks() {
    let line = Line::of("name\tage\tcity\tname\tage\tcity", super::style::Style::default());
    for row in line.wrap(12, 0) {
        let shown = row.render(Colours::Off);
        assert!(shown.width() <= 12 && !shown.contains('\t'), "{shown:?}");
    }
}
