//! Whatever a model writes as a patch, it is refused with a reason, or changes what it says and is no longer than that.
#![no_main]

use krabba_fuzz::texts;
use krabba_tools::{FilePatch, apply_hunks, parse_patch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [patch, text] = texts(data);
    let read = [patch.clone(), format!("*** Begin Patch\n{patch}\n*** End Patch\n")].map(|patch| parse_patch(&patch));
    for files in read {
        match files {
            Ok(files) => files.iter().for_each(|file| change(file, &patch, &text)),
            Err(why) => assert!(!why.is_empty()),
        }
    }
});

fn change(file: &FilePatch, patch: &str, text: &str) {
    match file {
        FilePatch::Add { path, content } => assert!(!path.is_empty() && content.len() <= patch.len() + 1),
        FilePatch::Delete { path } => assert!(!path.is_empty()),
        FilePatch::Update { path, hunks, .. } => {
            assert!(!path.is_empty());
            match apply_hunks(text, hunks) {
                // Each line of the patch may get another end of line than it had, and the indentation of a line of the text.
                Ok(changed) => assert!(changed.len() <= (patch.lines().count() + 1) * text.len() + 9 * patch.len() + 2),
                Err(why) => assert!(!why.is_empty()),
            }
        }
    }
}
