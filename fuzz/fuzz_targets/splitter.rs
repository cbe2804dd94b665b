//! Wherever the pieces of an answer are cut, the same is text, the same is reasoning, the same are calls in all notations, and the
//! same is a repetition.
#![no_main]

use krabba_markup::{OrphanPolicy, ReasoningSplitter, RepetitionGuard, Split};
use libfuzzer_sys::fuzz_target;

/// How an answer ends.
#[derive(Clone, Copy)]
enum End {
    Finished,
    Cut,
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    // The first byte says where one cut in two pieces is made.
    let middle = text.char_indices().map(|(at, _)| at).nth(data.first().copied().unwrap_or_default().into()).unwrap_or_default();
    let halves = text.split_at(middle);
    let characters = || text.char_indices().map(|(at, character)| &text[at..at + character.len_utf8()]);

    let plain = |policy| ReasoningSplitter::new(policy);
    let with_calls = |policy| ReasoningSplitter::with_calls(policy, vec!["read".to_owned(), "get_weather".to_owned()]);
    for policy in [OrphanPolicy::Hold, OrphanPolicy::Stream] {
        for end in [End::Finished, End::Cut] {
            for splitter in [plain as fn(OrphanPolicy) -> ReasoningSplitter, with_calls] {
                let whole = split(splitter(policy), end, [&*text]);
                assert_eq!(whole, split(splitter(policy), end, characters()));
                assert_eq!(whole, split(splitter(policy), end, [halves.0, halves.1]));
            }
        }
    }

    let mut guard = RepetitionGuard::new();
    let whole = guard.push(&text);
    let mut guard = RepetitionGuard::new();
    let each = characters().find_map(|character| guard.push(character));
    assert_eq!(whole, each);
    if let Some(repetition) = whole {
        assert!(text.is_char_boundary(repetition.kept));
    }
});

/// The parts, those of one kind that follow each other joined.
fn split<'a>(mut splitter: ReasoningSplitter, end: End, pieces: impl IntoIterator<Item = &'a str>) -> Vec<Split> {
    let mut splits = Vec::new();
    for piece in pieces {
        splitter.push(piece, &mut splits);
    }
    match end {
        End::Finished => splitter.finish(&mut splits),
        End::Cut => splitter.finish_cut(&mut splits),
    }
    let mut joined: Vec<Split> = Vec::new();
    for split in splits {
        if let Split::Text(text) | Split::Reasoning(text) = &split {
            assert!(!text.is_empty(), "an empty part");
        }
        match (joined.last_mut(), split) {
            // A sign of life for every piece.
            (_, Split::Calling) => {}
            (Some(Split::Text(last)), Split::Text(text)) | (Some(Split::Reasoning(last)), Split::Reasoning(text)) => last.push_str(&text),
            (_, split) => joined.push(split),
        }
    }
    joined
}
