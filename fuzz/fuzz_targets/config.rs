//! Any text as a configuration: it is read or refused with reasons, and a secret shows in none of them.
#![no_main]

use krabba_config::{Diagnostics, Env, Paint, Severity, parse_text, render};
use libfuzzer_sys::fuzz_target;

/// In the environment under the name `KEY`.
const SECRET: &str = "kept-9f3c-secret";

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if text.contains(SECRET) {
        return;
    }
    let env = Env::new([("KEY".to_owned(), SECRET.to_owned())]);
    match parse_text(&text, &env) {
        Ok(loaded) => {
            say(&loaded.diagnostics);
            assert!(!loaded.redacted().to_string().contains(SECRET));
            assert!(!format!("{loaded:?}").contains(SECRET));
        }
        Err(diagnostics) => {
            assert!(diagnostics.count(Severity::Error) > 0, "refused without a reason");
            say(&diagnostics);
        }
    }
});

fn say(diagnostics: &Diagnostics) {
    let plain = render(diagnostics, Paint::Plain);
    let coloured = render(diagnostics, Paint::Colours);
    assert_eq!(plain.is_empty(), diagnostics.iter().next().is_none());
    assert!(!plain.contains(SECRET) && !coloured.contains(SECRET), "{plain}");
}
