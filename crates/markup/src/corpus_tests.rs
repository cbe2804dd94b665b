//! One file per quirk in `tests/data`, each read whole, in single characters, and cut in two at every place.
//!
//! A file is a remark, settings (`policy: stream|hold`, `ending: finished|cut`, `tools: names`, without which no calls are
//! looked for), and the sections `--- input`, `--- text`, `--- reasoning`, `--- calls` (a name and JSON on each line, `?` for what
//! cannot be read); a section `--- retracted` says that text had to be taken back. A section ends before the line break
//! that precedes the next one.

use std::fs;
use std::path::Path;

use crate::{OrphanPolicy, ReasoningSplitter, Split, WrittenCall};

#[derive(Debug, PartialEq, Eq, Default)]
struct Outcome {
    text: String,
    reasoning: String,
    calls: String,
    retracted: bool,
}

struct Quirk {
    name: String,
    policy: OrphanPolicy,
    cut: bool,
    tools: Option<Vec<String>>,
    input: String,
    expected: Outcome,
}

fn quirks() -> Vec<Quirk> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut quirks: Vec<Quirk> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            parse(path.file_stem().unwrap().to_str().unwrap(), &fs::read_to_string(&path).unwrap())
        })
        .collect();
    quirks.sort_by(|left, right| left.name.cmp(&right.name));
    quirks
}

fn parse(name: &str, file: &str) -> Quirk {
    let file = file.strip_suffix('\n').unwrap_or(file);
    let mut sections = file.split("\n--- ");
    let head = sections.next().unwrap();
    let mut quirk = Quirk {
        name: name.to_owned(),
        policy: if head.contains("policy: hold") { OrphanPolicy::Hold } else { OrphanPolicy::Stream },
        cut: head.contains("ending: cut"),
        tools: head.lines().find_map(|line| line.strip_prefix("tools: ")).map(|names| names.split(", ").map(str::to_owned).collect()),
        input: String::new(),
        expected: Outcome::default(),
    };
    for section in sections {
        let (title, body) = section.split_once('\n').unwrap_or((section, ""));
        match title {
            "input" => quirk.input = body.to_owned(),
            "text" => quirk.expected.text = body.to_owned(),
            "reasoning" => quirk.expected.reasoning = body.to_owned(),
            "calls" => quirk.expected.calls = body.to_owned(),
            "retracted" => quirk.expected.retracted = true,
            other => panic!("{name}: unknown section {other}"),
        }
    }
    assert!(!quirk.input.is_empty(), "{name}: no input");
    quirk
}

fn read<'piece>(quirk: &Quirk, pieces: impl Iterator<Item = &'piece str>) -> Outcome {
    let mut splitter = match &quirk.tools {
        Some(tools) => ReasoningSplitter::with_calls(quirk.policy, tools.clone()),
        None => ReasoningSplitter::new(quirk.policy),
    };
    let mut splits = Vec::new();
    for piece in pieces {
        splitter.push(piece, &mut splits);
    }
    if quirk.cut {
        splitter.finish_cut(&mut splits);
    } else {
        splitter.finish(&mut splits);
    }
    let mut outcome = Outcome::default();
    let mut calls = Vec::new();
    for split in splits {
        match split {
            Split::Text(text) => {
                assert!(!text.is_empty());
                outcome.text.push_str(&text);
            }
            Split::Reasoning(text) => {
                assert!(!text.is_empty());
                outcome.reasoning.push_str(&text);
            }
            Split::Call(call) => calls.push(line(&call)),
            Split::Calling => {}
            Split::Retract => {
                calls.clear();
                outcome.retracted = true;
                let taken_back = std::mem::take(&mut outcome.text);
                outcome.reasoning.push_str(&taken_back);
            }
        }
    }
    outcome.calls = calls.join("\n");
    outcome
}

fn line(call: &WrittenCall) -> String {
    let arguments = call.arguments.as_ref().map_or_else(|| "?".to_owned(), |arguments| serde_json::to_string(arguments).unwrap());
    format!("{} {arguments}", call.name.as_deref().unwrap_or("?"))
}

#[test]
fn every_quirk_is_separated_as_its_file_says() {
    let quirks = quirks();
    assert!(quirks.len() >= 40, "only {} files", quirks.len());
    let wrong: Vec<String> = quirks
        .iter()
        .map(|quirk| (quirk, read(quirk, [quirk.input.as_str()].into_iter())))
        .filter(|(quirk, outcome)| *outcome != quirk.expected)
        .map(|(quirk, outcome)| format!("{}\n  gives {outcome:?}\n  not   {:?}", quirk.name, quirk.expected))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_cut_at_any_place_changes_nothing() {
    for quirk in quirks() {
        let characters: Vec<String> = quirk.input.chars().map(String::from).collect();
        assert_eq!(read(&quirk, characters.iter().map(String::as_str)), quirk.expected, "{} in characters", quirk.name);
        for (at, _) in quirk.input.char_indices() {
            let (first, second) = quirk.input.split_at(at);
            assert_eq!(read(&quirk, [first, second].into_iter()), quirk.expected, "{} cut at {at}", quirk.name);
        }
    }
}
