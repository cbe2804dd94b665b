//! Broken configurations, and exactly what is said about each. `KRABBA_BLESS=1` writes the expected texts anew.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::path::Path;

use krabba_config::{Env, MemoryFiles, Paint, Surroundings, load, parse_text, render};

/// What is said about a file of the corpus. It is read under its bare name, so that the text is the same on every machine.
fn said(name: &str, text: &str) -> String {
    let file = format!("{name}.json5");
    let files = MemoryFiles::default().with(&file, text);
    match load(Path::new(&file), &files, &Surroundings::default()) {
        Ok(loaded) => render(&loaded.diagnostics, Paint::Plain),
        Err(diagnostics) => format!("{}nothing could be read\n", render(&diagnostics, Paint::Plain)),
    }
}

#[test]
fn every_fault_is_said_with_its_place_and_its_cure() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/broken");
    let mut names: Vec<String> = std::fs::read_dir(&directory)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str().unwrap().strip_suffix(".json5").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 14, "the corpus is gone: {names:?}");
    for name in names {
        let text = std::fs::read_to_string(directory.join(format!("{name}.json5"))).unwrap();
        let said = said(&name, &text);
        assert!(!said.contains("sk-"), "a secret is shown for {name}:\n{said}");
        let expected = directory.join(format!("{name}.txt"));
        if std::env::var_os("KRABBA_BLESS").is_some() {
            std::fs::write(&expected, &said).unwrap();
        }
        assert_eq!(said, std::fs::read_to_string(&expected).unwrap(), "{name}");
    }
}

#[test]
fn column_far_into_a_long_line_is_not_counted_in_bytes() {
    let keys: Vec<String> = (0..300).map(|number| format!("'grüße 🦀 {number}': 'é'")).collect();
    let text = format!("\u{feff}{{ {} }}\n", keys.join(", "));
    let loaded = parse_text(&text, &Env::default()).unwrap_or_else(|_| panic!("nothing was read"));
    let line = text.trim_start_matches('\u{feff}');
    let expected: Vec<usize> = keys.iter().map(|key| line.split(key.as_str()).next().unwrap().chars().count() + 1).collect();
    let found: Vec<usize> = loaded.diagnostics.iter().map(|unknown| unknown.place.as_ref().unwrap().column as usize).collect();
    assert_eq!(found, expected);
}

#[test]
fn place_at_the_very_end_of_a_long_line_has_a_column() {
    for length in 500..1100 {
        let text = format!("{{ a: '{}", "x".repeat(length));
        let Err(diagnostics) = parse_text(&text, &Env::default()) else { panic!("an open quote was accepted") };
        let columns: Vec<usize> = diagnostics.iter().flat_map(|found| &found.place).map(|place| place.column as usize).collect();
        assert_eq!(columns, [text.len() + 1]);
    }
}

#[test]
fn bad_entries_do_not_hide_good_ones() {
    let loaded = parse_text(include_str!("data/broken/wrong-types.json5"), &Env::default()).unwrap_or_else(|_| panic!("nothing was read"));
    let providers: Vec<_> = loaded.config.models.providers.iter().map(|(name, provider)| (name, provider.models.len())).collect();
    assert_eq!(providers, [("first", 1)]);
    let loaded = parse_text(include_str!("data/broken/unknown-api.json5"), &Env::default()).unwrap_or_else(|_| panic!("nothing was read"));
    let providers: Vec<_> = loaded.config.models.providers.iter().map(|(name, _)| name).collect();
    assert_eq!(providers, ["good"]);
}

#[test]
fn old_keys_arrive_where_they_are_now() {
    let loaded = parse_text(include_str!("data/broken/old-keys.json5"), &Env::default()).unwrap_or_else(|_| panic!("nothing was read"));
    assert!(!loaded.diagnostics.has_errors());
    let expected = serde_json::json!({
        "model": { "primary": "lmstudio/qwen3", "fallbacks": ["anthropic/claude-sonnet-4-5"] },
        "models": { "lmstudio/qwen3": { "alias": "Local" }, "anthropic/claude-sonnet-4-5": {} },
        "workspace": "~/work",
    });
    assert_eq!(loaded.redacted().pointer("/agents/defaults"), Some(&expected));
}

#[test]
fn diagnostics_for_programs_have_place_and_key() {
    let loaded = parse_text("{\n  privacy: { residency: \"mars\" },\n}", &Env::default()).unwrap_or_else(|_| panic!("nothing was read"));
    let expected = serde_json::json!([{
        "severity": "error",
        "code": "wrong-type",
        "key": "privacy.residency",
        "message": "\"mars\" is no residency",
        "expected": "device, lan, region:<code> or hosted",
        "place": { "file": "krabba.json5", "line": 2, "column": 14 },
    }]);
    assert_eq!(serde_json::to_value(&loaded.diagnostics).unwrap(), expected);
}

#[test]
fn line_of_a_minified_file_is_cut_around_the_fault() {
    let filler = "x".repeat(500);
    let text = format!("{{agents:{{list:[{{id:\"{filler}\",name:\"{filler}\"}},{{id:3}}]}}}}");
    let loaded = parse_text(&text, &Env::default()).unwrap_or_else(|_| panic!("nothing was read"));
    let said = render(&loaded.diagnostics, Paint::Plain);
    assert!(said.lines().all(|line| line.chars().count() < 200), "{said}");
    assert!(said.contains("{id:3}"), "{said}");
}

#[test]
fn deep_nesting_is_refused_and_not_a_crash() {
    let text = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let Err(diagnostics) = parse_text(&text, &Env::default()) else { panic!("accepted") };
    assert_eq!(diagnostics.iter().next().map(|first| first.message.as_str()), Some("nested deeper than 100 levels"));
}

fn refusal(files: &MemoryFiles) -> String {
    match load(Path::new("/k.json5"), files, &Surroundings::default()) {
        Ok(loaded) => render(&loaded.diagnostics, Paint::Plain),
        Err(diagnostics) => render(&diagnostics, Paint::Plain),
    }
}

#[test]
fn missing_configuration_is_named() {
    let expected = "error[unreadable-file]: cannot read /k.json5: there is no such file
 = help: check the name, or run krabba once without it to have a configuration made

1 error
";
    assert_eq!(refusal(&MemoryFiles::default()), expected);
}

#[test]
fn includes_are_bounded_in_depth_and_number() {
    let chain = |length: usize| {
        let start = MemoryFiles::default().with("/k.json5", "{ $include: '1' }");
        (1..=length).fold(start, |files, n| {
            files.with(format!("/{n}"), &if n == length { "{}".to_owned() } else { format!("{{ $include: '{}' }}", n + 1) })
        })
    };
    assert_eq!(refusal(&chain(10)), "");
    assert!(refusal(&chain(12)).contains("files are included more than 10 levels deep"));

    // Each file names the next one ten times: without a bound, ten thousand million reads.
    let names = |n: usize| format!("{{ a: {{ $include: [{}] }} }}", vec![format!("'{n}'"); 10].join(","));
    let bomb = (1..=10).fold(MemoryFiles::default().with("/k.json5", &names(1)), |files, n| {
        files.with(format!("/{n}"), &if n == 10 { "{}".to_owned() } else { names(n + 1) })
    });
    assert_eq!(refusal(&bomb).matches("more than 256 files are included").count(), 1);
}

#[test]
fn files_on_disk_that_are_no_text_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("k.json5");
    std::fs::write(&path, b"{\n  a: '\xff' }").unwrap();
    let said = |path: &Path| match krabba_config::load_file(path, &Surroundings::default()) {
        Ok(_) => String::new(),
        Err(diagnostics) => diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect(),
    };
    assert_eq!(said(&path), format!("{} is not UTF-8 text: line 2 holds other bytes", path.display()));
    assert_eq!(said(directory.path()), format!("cannot read {}: it is not a regular file", directory.path().display()));
}
