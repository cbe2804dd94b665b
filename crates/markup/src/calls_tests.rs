use proptest::prelude::*;

use crate::calls::{marks, mend_object};
use crate::{Ending, OrphanPolicy, ReasoningSplitter, Split, WrittenCall};

fn split(policy: OrphanPolicy, pieces: &[&str], ending: Ending) -> Vec<Split> {
    let mut splitter = ReasoningSplitter::with_calls(policy, vec!["read".to_owned(), "get_weather".to_owned()]);
    let mut splits = Vec::new();
    for piece in pieces {
        splitter.push(piece, &mut splits);
    }
    match ending {
        Ending::Regular => splitter.finish(&mut splits),
        Ending::Cut => splitter.finish_cut(&mut splits),
    }
    let mut joined: Vec<Split> = Vec::new();
    for split in splits {
        match (joined.last_mut(), split) {
            (_, Split::Calling) => {}
            (Some(Split::Text(last)), Split::Text(text)) | (Some(Split::Reasoning(last)), Split::Reasoning(text)) => last.push_str(&text),
            (_, split) => joined.push(split),
        }
    }
    joined
}

fn calls(splits: &[Split]) -> Vec<&WrittenCall> {
    splits.iter().filter_map(|split| if let Split::Call(call) = split { Some(call) } else { None }).collect()
}

#[test]
fn an_ordinary_answer_is_not_delayed_by_looking_for_calls() {
    let mut splitter = ReasoningSplitter::with_calls(OrphanPolicy::Stream, vec!["read".to_owned()]);
    for piece in
        ["An", " answer", " with 1 < 2,", " [a list]", " `code` and a\n", "```rust\n<tool_call>", "\n```\n", "end\n", "{x}", "\n- one\n"]
    {
        let mut splits = Vec::new();
        splitter.push(piece, &mut splits);
        assert_eq!(splits, [Split::Text(piece.to_owned())]);
    }
}

#[test]
fn a_long_wait_for_a_name_gives_signs_of_life_and_ends() {
    let mut splitter = ReasoningSplitter::with_calls(OrphanPolicy::Stream, vec!["read".to_owned()]);
    let mut splits = Vec::new();
    splitter.push("I look: {\"arguments\": {\"content\": \"", &mut splits);
    assert_eq!(splits, [Split::Text("I look: ".to_owned())]);
    let (mut waited, piece) = (0, "word ".repeat(120));
    loop {
        splits.clear();
        splitter.push(&piece, &mut splits);
        if splits != [Split::Calling] {
            break;
        }
        waited += piece.len();
    }
    assert!(matches!(&splits[..], [Split::Text(_)]), "{splits:?}");
    assert!((15 * 1024..17 * 1024).contains(&waited), "waited for {waited} bytes");
}

#[test]
fn a_block_with_nothing_in_it_leaves_no_empty_part() {
    let text = "reet_weather\">\n<|tool_call_begin|><parameter name= city\">sis<|message|>I look.<|end|>";
    for policy in [OrphanPolicy::Hold, OrphanPolicy::Stream] {
        let mut splitter = ReasoningSplitter::with_calls(policy, vec!["read".to_owned()]);
        let mut splits = Vec::new();
        for character in text.chars() {
            splitter.push(character.encode_utf8(&mut [0; 4]), &mut splits);
        }
        splitter.finish(&mut splits);
        assert!(splits.iter().all(|split| *split != Split::Text(String::new())), "{splits:?}");
    }
}

#[test]
fn a_long_call_gives_signs_of_life() {
    let mut splitter = ReasoningSplitter::with_calls(OrphanPolicy::Stream, Vec::new());
    for piece in ["<tool_call>{\"name\": \"write\"", ", \"arguments\": {\"content\": \"", "much", " of it"] {
        let mut splits = Vec::new();
        splitter.push(piece, &mut splits);
        assert_eq!(splits, [Split::Calling], "{piece}");
    }
}

fn document() -> impl Strategy<Value = Vec<&'static str>> {
    let mark = proptest::sample::select(marks());
    let piece = prop_oneof![
        4 => mark,
        1 => Just("<tool_call>"),
        1 => Just("</tool_call>"),
        1 => Just("<function=read>"),
        1 => Just("<parameter=path>"),
        1 => Just("<arg_key>"),
        1 => Just("{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}"),
        1 => Just("{\"name\": \"read\", \"parameters\""),
        1 => Just("{\"arguments\": {\"path\": \"a\"}, \"name\": "),
        1 => Just("\"Read\"}"),
        1 => Just("I look: "),
        1 => Just("functions.Read"),
        1 => Just("{\"a\": 'b'}"),
        1 => Just("[read(path='a')]"),
        1 => Just("read"),
        1 => Just("functions.read:0"),
        1 => Just("<|channel|>commentary to=functions.read<|message|>"),
        1 => Just("assistantcommentary to=functions.read json"),
        1 => Just("commentary"),
        1 => Just("<think>"),
        1 => Just("</think>"),
        1 => Just("<|im_end|>"),
        1 => Just("\n"),
        1 => Just(" "),
        1 => Just("word "),
        1 => Just("世界"),
        1 => Just("{"),
        1 => Just("}"),
        1 => Just("["),
        1 => Just("<"),
        1 => Just(";"),
        1 => Just(","),
    ];
    proptest::collection::vec(piece, 0..14)
}

/// The same with quotation and code.
fn quoting_document() -> impl Strategy<Value = Vec<&'static str>> {
    let quoting = prop_oneof![
        Just("`"),
        Just("```"),
        Just("```tool_code\n"),
        Just("```json\n"),
        Just("\n> "),
        Just("\""),
        Just("'"),
        Just("\n- "),
        Just("read(path=\"a\")"),
    ];
    (document(), proptest::collection::vec((quoting, 0_usize..14), 0..6)).prop_map(|(mut document, quotes)| {
        for (quote, at) in quotes {
            document.insert(at.min(document.len()), quote);
        }
        document
    })
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![Just(Ending::Regular), Just(Ending::Cut)]
}

fn policy() -> impl Strategy<Value = OrphanPolicy> {
    prop_oneof![Just(OrphanPolicy::Hold), Just(OrphanPolicy::Stream)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn cutting_calls_anywhere_changes_nothing(
        document in quoting_document(), policy in policy(), ending in ending(), cuts in proptest::collection::vec(0_usize..300, 0..6),
    ) {
        let input = document.concat();
        let whole = split(policy, &[&input], ending);
        let characters: Vec<String> = input.chars().map(String::from).collect();
        let single: Vec<&str> = characters.iter().map(String::as_str).collect();
        prop_assert_eq!(split(policy, &single, ending), whole.clone());
        let mut ends: Vec<usize> = cuts.into_iter().filter(|cut| input.is_char_boundary(*cut)).chain([0, input.len()]).collect();
        ends.sort_unstable();
        let pieces: Vec<&str> = ends.windows(2).map(|pair| input.get(pair[0]..pair[1]).unwrap()).collect();
        prop_assert_eq!(split(policy, &pieces, ending), whole);
    }

    #[test]
    fn no_mark_of_a_call_is_ever_shown(document in document(), policy in policy(), ending in ending()) {
        let input = document.concat();
        for split in split(policy, &[&input], ending) {
            if let Split::Text(text) = split {
                let leaked = marks().into_iter().find(|mark| text.contains(mark));
                prop_assert_eq!(leaked, None, "in {:?} of {:?}", text, input);
            }
        }
    }

    #[test]
    fn arguments_arrive_as_they_were_meant(content in "[ -~\n\t<>{}\"'`\\\\åα世😀]{0,60}") {
        let arguments = serde_json::json!({"path": "a.txt", "content": content});
        let json = serde_json::json!({"name": "read", "arguments": arguments}).to_string();
        let inside = arguments.to_string();
        let texts = [
            format!("<tool_call>\n{json}\n</tool_call>"),
            format!("[TOOL_CALLS][{json}]"),
            format!("[TOOL_CALLS]read[ARGS]{inside}"),
            format!("[TOOL_REQUEST]{json}[END_TOOL_REQUEST]"),
            format!("<|python_tag|>{json}"),
            format!("<|tool_calls_section_begin|><|tool_call_begin|>functions.read:0<|tool_call_argument_begin|>{inside}<|tool_call_end|><|tool_calls_section_end|>"),
            format!("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>read<｜tool▁sep｜>{inside}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"),
            format!("<|channel|>commentary to=functions.read<|message|>{inside}<|call|>"),
            json,
        ];
        for text in texts {
            let splits = split(OrphanPolicy::Stream, &[&text], Ending::Regular);
            let [call] = calls(&splits)[..] else { return Err(TestCaseError::fail(format!("{text} gives {splits:?}"))) };
            prop_assert_eq!(call.arguments.as_ref(), arguments.as_object(), "{}", text);
        }
    }

    #[test]
    fn half_a_call_is_never_whole(content in "[a-z\n {}\"]{1,40}", at in 0_usize..200) {
        let arguments = serde_json::json!({"path": "a.txt", "content": content});
        let json = serde_json::json!({"name": "read", "arguments": arguments}).to_string();
        let plain = content.replace(['{', '}', '"'], "x");
        let texts = [
            (format!("<tool_call>\n{json}"), json.len() + 12),
            (format!("[TOOL_CALLS]read[ARGS]{arguments}"), usize::MAX),
            (format!("<function=read>\n<parameter=path>\na\n</parameter>\n<parameter=content>\n{plain}\n</parameter>\n</function>"), usize::MAX),
            (format!("<tool_call>read\n<arg_key>path</arg_key>\n<arg_value>a</arg_value>\n<arg_key>content</arg_key>\n<arg_value>{plain}</arg_value>\n</tool_call>"), usize::MAX),
        ];
        for (text, whole) in texts {
            let at = at.min(text.len() - 1);
            let splits = split(OrphanPolicy::Stream, &[text.get(..at).unwrap()], Ending::Cut);
            let complete = calls(&splits).into_iter().filter(|call| call.arguments.is_some()).count();
            prop_assert!(complete == 0 || at >= whole, "{} of {} gives {:?}", at, text, splits);
        }
    }

    #[test]
    fn repairing_changes_nothing_that_is_sound(text in "[ -~\n]{0,40}", number in any::<i64>()) {
        let object = serde_json::json!({"a": text, "b": [number, {"c": null}], "d": true});
        prop_assert_eq!(mend_object(&object.to_string(), Ending::Cut).map(serde_json::Value::Object), Some(object));
    }

    #[test]
    fn what_is_cut_is_not_repaired(text in "[a-z ]{0,20}", at in 0_usize..60) {
        let json = serde_json::json!({"a": text, "b": [1, {"c": "d"}]}).to_string();
        let at = at.min(json.len() - 1);
        prop_assert_eq!(mend_object(json.get(..at).unwrap(), Ending::Cut), None);
    }
}
