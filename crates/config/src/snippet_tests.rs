use std::ops::Range;

use proptest::prelude::*;

use crate::Snippet;
use crate::snippet::Line;

/// The same in the plain way: the whole line is put together first, and then cut.
fn cut_from_the_whole(line: &Line<'_>, marked: &Range<usize>) -> Snippet {
    let mark_end = marked.end.min(line.bytes.end).max(marked.start + 1);
    let mut shown: Vec<(Range<usize>, char)> = line.hidden.iter().map(|part| (part.clone(), '…')).collect();
    for (at, c) in line.text.char_indices().filter(|&(_, c)| c != '\u{feff}') {
        if !line.hidden.iter().any(|part| part.contains(&at)) {
            shown.push((at..at + c.len_utf8(), if c.is_control() { ' ' } else { c }));
        }
    }
    shown.retain(|(bytes, _)| bytes.start < line.bytes.end && bytes.end > line.bytes.start);
    shown.sort_by_key(|(bytes, _)| bytes.start);
    let all = shown.len();
    let before = shown.iter().filter(|(bytes, _)| bytes.end.min(line.bytes.end) <= marked.start).count();
    let within = shown.iter().filter(|(bytes, _)| bytes.start < mark_end).count() - before;
    let (skip, width) = (before.saturating_sub(60), within.clamp(1, 60));
    let end = all.min(before + width + 60);
    let (first, last) = (if skip > 0 { "…" } else { "" }, if end < all { "…" } else { "" });
    let middle: String = shown[skip..end].iter().map(|&(_, c)| c).collect();
    let text = format!("{first}{middle}{last}").trim_end().to_owned();
    Snippet { text, indent: before - skip + first.chars().count(), width }
}

/// A text, and places in it between characters, in order.
fn text_and_places() -> impl Strategy<Value = (String, Vec<usize>)> {
    ("[ab :é🦀\t\u{feff}]{1,400}", proptest::collection::vec(any::<prop::sample::Index>(), 10)).prop_map(|(text, indices)| {
        let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut places: Vec<usize> = indices.iter().map(|index| *index.get(&bounds)).collect();
        places.sort_unstable();
        (text, places)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn walking_from_the_place_shows_what_the_whole_line_would(
        (text, places) in text_and_places(),
        marks in any::<[prop::sample::Index; 2]>(),
        ends_early in any::<bool>(),
    ) {
        // The last place may end the line before the text ends, and then the marked part may lie behind it.
        let bytes = places[0]..if ends_early { places[9] } else { text.len() };
        let hidden: Vec<Range<usize>> = places[1..9].chunks(2).map(|pair| pair[0]..pair[1]).filter(|part| !part.is_empty()).collect();
        let after: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).filter(|&at| at >= bytes.start).collect();
        let [one, two] = marks.map(|mark| *mark.get(&after));
        let marked = one.min(two)..one.max(two);
        let line = Line { text: &text, bytes, hidden: &hidden };
        prop_assert_eq!(line.snippet(marked.clone()), cut_from_the_whole(&line, &marked));
    }
}
