//! Replacing pieces of a text that a model remembers only roughly.
//!
//! A piece is looked for as it is written. Where it does not stand there, whole lines are compared without the white space at
//! their ends, and the indentation of what replaces them is translated into that of the file. Lines end as those of the file do, however the model
//! ends them. A piece that stands there more than once, or not at all, is refused: a guess would change the wrong place.

use std::ops::Range;

use serde::Deserialize;

use crate::indentation::Indentation;
use crate::lines::places;
use crate::text::line_ending;

/// A piece and what takes its place.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Edit {
    #[serde(rename = "oldText")]
    /// What is looked for.
    pub old: String,
    #[serde(rename = "newText")]
    /// What stands there then.
    pub new: String,
}

/// The text with all pieces replaced, each looked for in what the ones before it left.
///
/// # Errors
/// A line for the model: which piece stands there not at all, or more than once.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, String> {
    if edits.is_empty() {
        return Err("there is nothing to edit; give edits: [{oldText, newText}]".to_owned());
    }
    let mut text = text.to_owned();
    for (number, edit) in (1..).zip(edits) {
        let which = if edits.len() == 1 { String::new() } else { format!("edit {number}: ") };
        text = replace(&text, edit).map_err(|why| format!("{which}{why}"))?;
    }
    Ok(text)
}

fn replace(text: &str, edit: &Edit) -> Result<String, String> {
    if edit.old.is_empty() {
        return Err("oldText is empty".to_owned());
    }
    let ending = line_ending(text);
    let [old, new] = [&edit.old, &edit.new].map(|piece| piece.replace("\r\n", "\n").replace('\n', ending));
    if old == new {
        return Err("oldText and newText are the same".to_owned());
    }
    let exact: Vec<usize> = text.match_indices(&old).map(|(at, _)| at).take(2).collect();
    match exact.as_slice() {
        [at] => return Ok(with(text, *at..*at + old.len(), &new)),
        [_, ..] => return Err(format!("oldText stands there {} times; give more of the lines around it", text.matches(&old).count())),
        [] => {}
    }
    let mut found = loosely(text, &old);
    match (found.pop(), found.pop()) {
        (Some((range, indentation)), None) => {
            let ends_line = text.get(range.clone()).is_some_and(|piece| piece.ends_with('\n'));
            let mut new: String = new.split_inclusive('\n').map(|line| indentation.translated(line)).collect::<Result<_, _>>()?;
            if ends_line && !new.is_empty() && !new.ends_with('\n') {
                new.push_str(ending);
            }
            Ok(with(text, range, &new))
        }
        (Some(_), Some(_)) => Err("oldText stands there more than once; give more of the lines around it".to_owned()),
        (None, _) => Err("oldText does not stand there; read the file again".to_owned()),
    }
}

/// The places whose lines are those of `old` but for the white space at their ends, each with how indentations are translated there.
fn loosely<'t>(text: &'t str, old: &'t str) -> Vec<(Range<usize>, Indentation<'t>)> {
    let wanted: Vec<&str> = old.trim_matches(['\r', '\n']).lines().collect();
    if wanted.iter().all(|line| line.trim().is_empty()) {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        lines.push((start, line));
        start += line.len();
    }
    let bare: Vec<&str> = lines.iter().map(|(_, line)| line.trim()).collect();
    let sought: Vec<&str> = wanted.iter().map(|line| line.trim()).collect();
    // Of two it is known already that they are too many.
    places(&bare, &sought, 2)
        .into_iter()
        .filter_map(|at| {
            let window = lines.get(at..at + wanted.len())?;
            let ((first, _), (last, end)) = (window.first()?, window.last()?);
            let indentation = Indentation::of(wanted.iter().copied().zip(window.iter().map(|(_, line)| *line)));
            Some((*first..last + end.len(), indentation))
        })
        .collect()
}

fn with(text: &str, range: Range<usize>, new: &str) -> String {
    let (before, after) = (text.get(..range.start).unwrap_or_default(), text.get(range.end..).unwrap_or_default());
    [before, new, after].concat()
}
