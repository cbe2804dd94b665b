//! How large things may get. When a limit hurts, the idea is split, not the file.

use std::path::{Path, PathBuf};

use anyhow::Result;

const FILE_LINES: usize = 600;
const STRUCT_FIELDS: usize = 13;
const ALL_LINES: usize = 60_000;
const DOCUMENTS: [(&str, usize); 2] = [("ARCHITECTURE.md", 200), ("AGENTS.md", 60)];

/// Checks files, structs and documents. Functions are held by clippy's `too_many_lines`.
pub(super) fn check(root: &Path, files: &[PathBuf], findings: &mut Vec<String>) -> Result<()> {
    let mut all = 0;
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let text = std::fs::read_to_string(root.join(file))?;
        let lines = text.lines().count();
        if lines > FILE_LINES {
            findings.push(format!("{}: {lines} lines, the end is {FILE_LINES}", file.display()));
        }
        if !is_test(file) {
            all += text.lines().filter(|line| is_code(line)).count();
        }
        structs(file, &text, findings);
    }
    if all > ALL_LINES {
        findings.push(format!("{all} lines of code without tests, the end is {ALL_LINES}"));
    }
    for (name, limit) in DOCUMENTS {
        match std::fs::read_to_string(root.join(name)) {
            Ok(text) if text.lines().count() > limit => findings.push(format!("{name}: more than {limit} lines")),
            Ok(_) => {}
            Err(error) => findings.push(format!("{name}: {error}")),
        }
    }
    Ok(())
}

/// Neither empty nor a comment: nobody is to write less of those for the sake of a figure.
fn is_code(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with("//")
}

/// Test code does not count towards the whole: `*_tests.rs`, everything under `tests`, `benches` or `fuzz`, and the kit that only
/// tests use.
fn is_test(file: &Path) -> bool {
    let name = file.to_string_lossy();
    name.ends_with("_tests.rs")
        || file.starts_with("crates/testkit")
        || ["tests", "benches", "fuzz"].iter().any(|part| file.components().any(|component| component.as_os_str() == *part))
}

/// Counts the fields of every struct with named fields, by rustfmt's layout: one field a line, one level in.
fn structs(file: &Path, text: &str, findings: &mut Vec<String>) {
    let mut open: Option<(String, usize, usize)> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let words = line.trim();
        if let Some((name, depth, fields)) = &mut open {
            if indent == *depth && words.starts_with('}') {
                if *fields > STRUCT_FIELDS {
                    findings.push(format!("{}: struct {name} has {fields} fields, the end is {STRUCT_FIELDS}", file.display()));
                }
                open = None;
            } else if indent == *depth + 4 && is_field(words) {
                *fields += 1;
            }
        } else if words.ends_with('{')
            && let Some(name) = struct_name(words)
        {
            open = Some((name, indent, 0));
        }
    }
}

fn struct_name(words: &str) -> Option<String> {
    let mut parts = words.split_whitespace().skip_while(|word| word.starts_with("pub"));
    if parts.next() != Some("struct") {
        return None;
    }
    Some(parts.next()?.trim_end_matches(|c: char| !c.is_alphanumeric()).to_owned())
}

fn is_field(words: &str) -> bool {
    let name = words
        .strip_prefix("pub(crate) ")
        .or_else(|| words.strip_prefix("pub(super) "))
        .or_else(|| words.strip_prefix("pub "))
        .unwrap_or(words);
    name.split_once(':').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '#')
    })
}
