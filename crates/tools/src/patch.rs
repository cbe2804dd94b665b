//! Patches as OpenClaw's models write them: what they say, and what a text becomes by them.
//!
//! ```text
//! *** Begin Patch
//! *** Add File: path          its lines follow, each behind a +
//! *** Delete File: path
//! *** Update File: path
//! *** Move to: new path       only if it moves
//! @@ a line above             where to look, if it is not clear
//!  kept                       each line behind a blank, - or +
//! -gone
//! +new
//! *** End of File             only if it stands at the end
//! *** End Patch
//! ```
//!
//! The lines that a hunk keeps and removes are looked for behind the hunk before it: as they are written, then without the white space at
//! their ends, then at both ends; in the last case the indentation of what is added is translated into that of the file. What is kept
//! stays as the file has it. A hunk without `@@` that fits more than one place is refused, as a guess would change the wrong one.

use crate::indentation::Indentation;
use crate::lines::places;
use crate::text::line_ending;

const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const END_OF_FILE: &str = "*** End of File";
const ADD: &str = "*** Add File:";
const DELETE: &str = "*** Delete File:";
const UPDATE: &str = "*** Update File:";
const MOVE: &str = "*** Move to:";
/// Before the name of a file.
const MARKS: [&str; 4] = [ADD, DELETE, UPDATE, MOVE];

/// What a patch does to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilePatch {
    /// There is a new one.
    Add {
        /// Where.
        path: String,
        /// With what in it.
        content: String,
    },
    /// It goes.
    Delete {
        /// Which.
        path: String,
    },
    /// It becomes another one.
    Update {
        /// Which.
        path: String,
        /// Its new place.
        to: Option<String>,
        /// In the order of the file.
        hunks: Vec<Hunk>,
    },
}

/// Lines that stand together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hunk {
    anchor: Option<String>,
    lines: Vec<(Sign, String)>,
    at_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Kept,
    Gone,
    New,
}

/// Reads a patch.
///
/// # Errors
/// A line for the model: what is wrong, and in which line.
pub fn parse(text: &str) -> Result<Vec<FilePatch>, String> {
    let lines: Vec<&str> = text.lines().collect();
    let begin = lines.iter().position(|line| line.trim() == BEGIN).ok_or_else(|| format!("a patch begins with the line {BEGIN}"))?;
    // Behind a blank it is a line of a file.
    let end = |is: fn(&str) -> bool| lines.iter().skip(begin).position(|line| is(line));
    let length = end(|line| line.trim_end() == END).or_else(|| end(|line| line.trim() == END));
    let length = length.ok_or_else(|| format!("a patch ends with the line {END}"))?;
    if let Some(line) = lines.iter().skip(begin + length + 1).find(|line| line.starts_with("*** ") && line.trim_end() != END) {
        return Err(format!("behind {END} there is \"{}\"; give all of it between one {BEGIN} and one {END}", line.trim_end()));
    }
    let mut files = Vec::new();
    for (number, line) in lines.iter().enumerate().skip(begin + 1).take(length.saturating_sub(1)) {
        let wrong = |why: &str| Err(format!("line {} of the patch: {why}", number + 1));
        if MARKS.iter().any(|mark| line.trim_end() == *mark) {
            return wrong("the file has no name");
        }
        if let Some(path) = after(line, ADD) {
            files.push(FilePatch::Add { path, content: String::new() });
        } else if let Some(path) = after(line, DELETE) {
            files.push(FilePatch::Delete { path });
        } else if let Some(path) = after(line, UPDATE) {
            files.push(FilePatch::Update { path, to: None, hunks: Vec::new() });
        } else {
            match files.last_mut() {
                Some(FilePatch::Add { content, .. }) => match line.strip_prefix('+') {
                    Some(line) => content.extend([line, "\n"]),
                    None if line.trim().is_empty() => content.push('\n'),
                    None => return wrong("each line of a new file stands behind a +"),
                },
                Some(FilePatch::Update { to, hunks, .. }) => {
                    if let Some(path) = after(line, MOVE) {
                        if !hunks.is_empty() || to.is_some() {
                            return wrong("Move to stands once, before the first hunk");
                        }
                        *to = Some(path);
                    } else if let Err(why) = line_of_hunk(line, hunks) {
                        return wrong(why);
                    }
                }
                Some(FilePatch::Delete { .. }) if line.trim().is_empty() => {}
                Some(FilePatch::Delete { .. }) | None => return wrong("Add File, Delete File or Update File is missing above it"),
            }
        }
    }
    let idle = files.iter().find_map(|file| match file {
        FilePatch::Update { path, to: None, hunks } if hunks.iter().all(|hunk| hunk.lines.is_empty()) => Some(path),
        FilePatch::Add { .. } | FilePatch::Delete { .. } | FilePatch::Update { .. } => None,
    });
    match idle {
        _ if files.is_empty() => Err("the patch is empty".to_owned()),
        Some(path) => Err(format!("nothing is said about what becomes of {path}")),
        None => Ok(files),
    }
}

fn after(line: &str, mark: &str) -> Option<String> {
    line.strip_prefix(mark).map(|rest| rest.trim().to_owned())
}

fn line_of_hunk(line: &str, hunks: &mut Vec<Hunk>) -> Result<(), &'static str> {
    if let Some(anchor) = line.strip_prefix("@@") {
        // The numbers of an ordinary diff are no line of the file.
        let anchor = anchor.trim().trim_end_matches("@@").trim_end();
        let said = !anchor.is_empty() && !anchor.starts_with("-");
        hunks.push(Hunk { anchor: said.then(|| anchor.to_owned()), ..Hunk::default() });
        return Ok(());
    }
    if hunks.last().is_none_or(|hunk| hunk.at_end) {
        if line.is_empty() {
            return Ok(());
        }
        hunks.push(Hunk::default());
    }
    let Some(hunk) = hunks.last_mut() else { return Ok(()) };
    if line.trim_end() == END_OF_FILE {
        hunk.at_end = true;
        return Ok(());
    }
    let (sign, rest) = match (line.chars().next(), line.get(1..)) {
        (None, _) => (Sign::Kept, ""),
        (Some(' '), Some(rest)) => (Sign::Kept, rest),
        (Some('-'), Some(rest)) => (Sign::Gone, rest),
        (Some('+'), Some(rest)) => (Sign::New, rest),
        _ => return Err("a line of a hunk begins with a blank, - or +"),
    };
    hunk.lines.push((sign, rest.to_owned()));
    Ok(())
}

/// `text` after all hunks.
///
/// # Errors
/// A line for the model: which hunk fits nowhere, or in more than one place, or with no indentation that can be told.
pub fn apply(text: &str, hunks: &[Hunk]) -> Result<String, String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let ending = line_ending(text);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (number, hunk) in (1..).zip(hunks) {
        let of_hunk = |why| if hunks.len() == 1 { why } else { format!("hunk {number}: {why}") };
        let place = hunk.place(&lines, from).map_err(of_hunk)?;
        out.extend(lines.iter().take(place.at).skip(from).copied());
        let mut at = place.at;
        for (sign, line) in &hunk.lines {
            match sign {
                Sign::Kept | Sign::Gone => {
                    out.push_str(lines.get(at).filter(|_| *sign == Sign::Kept).copied().unwrap_or_default());
                    at += 1;
                }
                Sign::New => {
                    if !out.is_empty() && !out.ends_with('\n') {
                        out.push_str(ending);
                    }
                    out.push_str(&place.indentation.translated(line).map_err(of_hunk)?);
                    out.push_str(ending);
                }
            }
        }
        from = at;
    }
    out.extend(lines.iter().skip(from).copied());
    Ok(out)
}

/// Where a hunk belongs, and how what it adds is indented there.
struct Place<'l> {
    at: usize,
    indentation: Indentation<'l>,
}

impl Hunk {
    fn place<'l>(&'l self, lines: &[&'l str], from: usize) -> Result<Place<'l>, String> {
        let start = match &self.anchor {
            Some(anchor) => self.behind(anchor, lines, from)?,
            None => from,
        };
        let wanted: Vec<&str> = self.lines.iter().filter(|(sign, _)| *sign != Sign::New).map(|(_, line)| line.as_str()).collect();
        if wanted.is_empty() {
            let at = if self.anchor.is_some() && !self.at_end { start } else { lines.len() };
            return Ok(Place { at, indentation: Indentation::of(std::iter::empty()) });
        }
        let ways: [fn(&str) -> &str; 3] = [|line| line.trim_end_matches(['\n', '\r']), str::trim_end, str::trim];
        for same in ways {
            // At the end there is one place for them.
            let from = if self.at_end { start.max(lines.len().saturating_sub(wanted.len())) } else { start };
            let there: Vec<&str> = lines.iter().skip(from).map(|line| same(line)).collect();
            let sought: Vec<&str> = wanted.iter().map(|line| same(line)).collect();
            let mut places = places(&there, &sought, 2).into_iter().map(|at| from + at);
            match (places.next(), places.next()) {
                (None, _) => {}
                (Some(_), Some(_)) if self.anchor.is_none() => {
                    return Err("its lines stand there more than once; give more of them, or @@ with a line above".to_owned());
                }
                (Some(at), _) => {
                    let there = lines.iter().skip(at).copied();
                    return Ok(Place { at, indentation: Indentation::of(wanted.iter().copied().zip(there)) });
                }
            }
        }
        let first = wanted.iter().find(|line| !line.trim().is_empty()).unwrap_or(&"");
        Err(format!("its lines do not stand there (from \"{}\" on); read the file again", first.trim()))
    }

    /// The line behind the one that the anchor names, or the one that holds it: `@@ fn main` is often said of `fn main() {`.
    fn behind(&self, anchor: &str, lines: &[&str], from: usize) -> Result<usize, String> {
        let rest = || lines.iter().enumerate().skip(from);
        let found = rest().find(|(_, line)| line.trim() == anchor.trim()).or_else(|| rest().find(|(_, line)| line.contains(anchor.trim())));
        found.map(|(at, _)| at + 1).ok_or_else(|| format!("there is no line \"{}\" where @@ looks for it", anchor.trim()))
    }
}
