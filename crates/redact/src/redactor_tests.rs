use krabba_types::Secret;

use crate::{Redactor, secrets_in};

const KEY: &str = "k3y/with+odd=\"chars\"&99";

fn knowing(secrets: &[&str]) -> Redactor {
    let redactor = Redactor::new();
    for secret in secrets {
        redactor.register(&Secret::new(*secret));
    }
    redactor
}

#[test]
fn file_full_of_secrets_pushes_no_other_files_out() {
    let redactor = Redactor::new();
    let made_up = |file: usize| (0..100).map(|number| Secret::new(format!("junk-{file}-{number}-{}", "x".repeat(24)))).collect();
    let mut files: Vec<Vec<Secret>> = (0..30).map(made_up).collect();
    files.push(secrets_in(".env", "API_TOKEN=zq8Rk2LmX0pT7vWn4YbCs9Jd"));
    redactor.learn(&files);
    assert_eq!(redactor.hide("it is zq8Rk2LmX0pT7vWn4YbCs9Jd"), "it is [secret]");
    redactor.learn(&[secrets_in("later/.env", "API_TOKEN=ab8Rk2LmX0pT7vWn4YbCs9Jd")]);
    assert_eq!(redactor.hide("it is ab8Rk2LmX0pT7vWn4YbCs9Jd"), "it is [secret]");
}

#[test]
fn a_known_secret_is_hidden_in_every_dress() {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    let redactor = knowing(&[KEY]);
    let percent: String = url::form_urlencoded::byte_serialize(KEY.as_bytes()).collect();
    let json = serde_free_json(KEY);
    let mut dresses = vec![KEY.to_owned(), percent.clone(), percent.to_lowercase(), json];
    for before in ["", "u", "us", "user:"] {
        dresses.push(STANDARD.encode(format!("{before}{KEY}")));
        dresses.push(URL_SAFE.encode(format!("{before}{KEY}:tail")));
    }
    dresses.push(KEY.chars().rev().collect());
    dresses.push(KEY.bytes().map(|byte| format!("{byte:02x}")).collect());
    dresses.push(KEY.bytes().map(|byte| format!("{byte:02X}")).collect());
    dresses.extend([KEY.to_uppercase(), KEY.to_lowercase()]);
    let bytes: Vec<String> = KEY.bytes().map(|byte| format!("{byte:02x}")).collect();
    dresses.push(bytes.join(" "));
    dresses.push(bytes.chunks(16).map(|line| line.join(" ")).collect::<Vec<_>>().join("\n "));
    let lines = |text: &str, end: &str| text.as_bytes().chunks(10).map(|line| String::from_utf8_lossy(line)).collect::<Vec<_>>().join(end);
    for end in ["\n", "\\n", "\r\n", "\\r\\n"] {
        dresses.push(lines(&STANDARD.encode(format!("user:{KEY}")), end));
    }
    dresses.push(KEY.chars().rev().map(|character| format!("{character} ")).collect());
    for dress in dresses {
        let clean = redactor.redact(&format!("quoted <{dress}> by a server")).into_owned();
        assert!(clean.contains("[secret]"), "{dress} in {clean}");
        assert!(!clean.contains(KEY) && !clean.contains(&dress), "{dress} in {clean}");
    }
}

fn serde_free_json(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[test]
fn a_secret_inside_of_another_does_not_leave_its_rest() {
    let redactor = knowing(&["abcdefghijkl", "abcdefghijklmnopqrstuv"]);
    assert_eq!(redactor.redact("x abcdefghijklmnopqrstuv y abcdefghijkl z"), "x [secret] y [secret] z");
}

#[test]
fn a_short_secret_does_not_shred_the_text() {
    let redactor = knowing(&["local1", "ab", "lm-studio", "ollama"]);
    assert_eq!(
        redactor.redact("key local1, not localhost or local10; LM Studio takes lm-studio, ollama and ab"),
        "key [secret], not localhost or local10; LM Studio takes lm-studio, ollama and ab"
    );
}

#[test]
fn a_secret_behind_the_beginning_of_another_is_found() {
    let redactor = knowing(&["aab1", "ab12"]);
    assert_eq!(redactor.redact("xaab12 aab12 aab1 ab12"), "xaab12 aab12 [secret] [secret]");
    assert!(redactor.finds("x ab12.") && !redactor.finds("xab12"));
}

#[test]
fn what_only_looks_like_a_secret_is_left_to_a_model() {
    let code = "let password = 'correct-horse-battery-staple-9';";
    assert_eq!(knowing(&["another-secret"]).hide(code), code);
}

#[test]
fn unknown_secrets_are_recognised_by_their_shape() {
    let cases = [
        ("Authorization: Bearer abcDEF123456.ghi", "Authorization: Bearer [secret]"),
        ("{\"x-api-key\":\"0123456789abcdef\"}", "{\"x-api-key\":\"[secret]\"}"),
        ("Incorrect API key provided: sk-proj-abcd****wxyz. Find it at", "Incorrect API key provided: [secret] Find it at"),
        ("GET https://host/v1?api_key=a1b2c3d4e5&x=1 failed", "GET https://host/v1?api_key=[secret]&x=1 failed"),
        ("http://user:hunter2@box:1234/v1", "http://[secret]@box:1234/v1"),
        ("key AIzaSyA1234567890abcdefghijklmnopqrstu is bad", "key [secret] is bad"),
        ("password='correct-horse-battery-staple-9'", "password='[secret]'"),
    ];
    for (text, expected) in cases {
        assert_eq!(Redactor::new().redact(text), expected);
    }
}

#[test]
fn ordinary_texts_stay_as_they_are() {
    let texts = [
        "this model's maximum context length is 4096 tokens; see https://docs.example.com/errors/context",
        "basic authentication required",
        "the bearer of bad news",
        "qwen/qwen3-8b@q4_k_m does not exist",
        "the secret ingredient",
        "password required",
    ];
    for text in texts {
        assert_eq!(Redactor::new().redact(text), text);
    }
}

#[test]
fn what_is_learned_later_is_hidden_by_earlier_clones() {
    let redactor = Redactor::new();
    let clone = redactor.clone();
    redactor.register(&Secret::new("a-secret-learned-later"));
    assert_eq!(clone.redact("x a-secret-learned-later"), "x [secret]");
    assert_eq!(format!("{clone:?}"), "Redactor(…)");
}

#[test]
fn files_teach_no_more_than_can_be_looked_for() {
    let redactor = Redactor::new();
    redactor.learn(&[secrets_in(".env", "A_KEY=of-the-owner-1")]);
    let file = |from: usize, most: usize| (from..from + most).map(|number| format!("K_KEY=made-up-{number:09}\n")).collect::<String>();
    redactor.learn(&[secrets_in("long.env", &file(0, 1_000))]);
    assert!(redactor.finds("made-up-000000099") && !redactor.finds("made-up-000000100"), "the first 100 of one file");
    (1..20).for_each(|number| redactor.learn(&[secrets_in("more.env", &file(number * 1_000, 100))]));
    assert!(redactor.finds("made-up-000008099") && !redactor.finds("made-up-000019008"), "1,000 in all");
    assert!(redactor.finds("made-up-000019007"), "and the first of each file");
    (20..400).for_each(|number| redactor.learn(&[secrets_in("more.env", &file(number * 1_000, 8))]));
    assert!(!redactor.finds("made-up-000399000"), "as many again in all");
    assert!(redactor.finds("of-the-owner-1"));
    redactor.register(&Secret::new("a-key-of-the-configuration"));
    assert!(redactor.finds("a-key-of-the-configuration"), "those are never too many");
}
