//! The indentation of lines that a model wrote in another one than the file has.
//!
//! Lines that both know tell how the one becomes the other: so many blanks are a tab, or the other way round, or all is moved by so many.
//! By that every other line is translated, level by level. Where the lines that both know contradict each other, only an indentation that
//! they show is translated; any other is refused, as a file that mixes tabs and blanks may mean something else, or nothing.

use std::collections::BTreeSet;

/// As many blanks are a tab, or a level is as many times as wide, at most: more is no unit, but chance.
const WIDEST: usize = 8;

/// How indentations are translated.
pub(crate) struct Indentation<'t> {
    /// Those of the model and of the file, line by line.
    pairs: Vec<(&'t str, &'t str)>,
    way: Way<'t>,
}

enum Way<'t> {
    /// They are the same.
    Same,
    /// Both are counted. From `base` on, so many of the one are so many of the other.
    Levels { from: char, to: char, base: (usize, usize), step: (usize, usize) },
    /// What comes behind is the same.
    Prefix { was: &'t str, now: &'t str },
    /// No other than those that are known.
    Known,
}

impl<'t> Indentation<'t> {
    /// From the lines that both know, each as the model wrote it and as the file has it.
    pub(crate) fn of(lines: impl Iterator<Item = (&'t str, &'t str)>) -> Self {
        let told = lines.filter(|(wanted, _)| !wanted.trim().is_empty());
        let pairs: Vec<_> = told.map(|(wanted, there)| (indentation(wanted), indentation(there))).collect();
        let way = if pairs.iter().all(|(was, now)| was == now) {
            Way::Same
        } else {
            levels(&pairs).or_else(|| prefix(&pairs)).unwrap_or(Way::Known)
        };
        Self { pairs, way }
    }

    /// A line of the model's as it stands in the file.
    ///
    /// # Errors
    /// A line for the model: it cannot be told.
    pub(crate) fn translated(&self, line: &str) -> Result<String, String> {
        let was = indentation(line);
        let rest = line.get(was.len()..).unwrap_or_default();
        if rest.trim().is_empty() {
            return Ok(line.to_owned());
        }
        let now = match &self.way {
            Way::Same => Some(was.to_owned()),
            Way::Levels { from, to, base, step } => {
                let count = was.chars().all(|blank| blank == *from).then_some(was.len());
                count.and_then(|count| level(count, *base, *step)).map(|count| to.to_string().repeat(count))
            }
            Way::Prefix { was: prefix, now } => was.strip_prefix(prefix).map(|rest| format!("{now}{rest}")),
            Way::Known => self.known(was),
        };
        let refusal = || {
            let line = line.trim();
            format!(
                "the file's lines are indented otherwise than those that were given, and how \"{line}\" is to be cannot be told by them; \
                 read the file and give all lines with the tabs and blanks that it has"
            )
        };
        Ok(now.ok_or_else(refusal)? + rest)
    }

    fn known(&self, was: &str) -> Option<String> {
        let mut there = self.pairs.iter().filter(|(known, _)| *known == was).map(|(_, now)| *now);
        let first = there.next()?;
        there.all(|other| other == first).then(|| first.to_owned())
    }
}

fn indentation(line: &str) -> &str {
    line.get(..line.len() - line.trim_start_matches([' ', '\t']).len()).unwrap_or_default()
}

/// `None` where they are not all of one kind, or do not fit together.
fn levels<'t>(pairs: &[(&str, &str)]) -> Option<Way<'t>> {
    let (from, to) = match (kind(pairs.iter().map(|(was, _)| *was))?, kind(pairs.iter().map(|(_, now)| *now))?) {
        (Some(from), Some(to)) => (from, to),
        (Some(only), None) | (None, Some(only)) => (only, only),
        (None, None) => return None,
    };
    let counts: BTreeSet<(usize, usize)> = pairs.iter().map(|(was, now)| (was.len(), now.len())).collect();
    let (base, last) = (*counts.first()?, *counts.last()?);
    let step = match (last.0.checked_sub(base.0)?, last.1.checked_sub(base.1)?) {
        (0, 0) if from == to => (1, 1),
        // A single level.
        (0, 0) => base,
        (0, _) | (_, 0) => return None,
        step => step,
    };
    let is_narrow = step.0 <= WIDEST * step.1 && step.1 <= WIDEST * step.0;
    let is_unit = if from == to {
        // All is moved, or each level has another width.
        step.0 == step.1 || base.0 * step.1 == base.1 * step.0
    } else {
        step.0 % step.1 == 0 || step.1 % step.0 == 0
    };
    let fits = counts.iter().all(|(was, now)| level(*was, base, step) == Some(*now));
    (is_narrow && is_unit && fits).then_some(Way::Levels { from, to, base, step })
}

/// The blank that they all are made of, if there is any; `None` where there are several.
fn kind<'i>(indentations: impl Iterator<Item = &'i str>) -> Option<Option<char>> {
    let kinds: BTreeSet<char> = indentations.flat_map(str::chars).collect();
    (kinds.len() < 2).then(|| kinds.first().copied())
}

/// How many of the file's they are.
fn level(count: usize, base: (usize, usize), step: (usize, usize)) -> Option<usize> {
    let whole = |count: usize| (count * step.1).is_multiple_of(step.0).then(|| count * step.1 / step.0);
    match count.checked_sub(base.0) {
        Some(more) => Some(base.1 + whole(more)?),
        None => base.1.checked_sub(whole(base.0 - count)?),
    }
}

/// `None` where they are not the same behind what the least indented line begins with.
fn prefix<'t>(pairs: &[(&'t str, &'t str)]) -> Option<Way<'t>> {
    let (was, now) = *pairs.iter().min_by_key(|(was, _)| was.len())?;
    // Where the file mixes no tabs and blanks, it is not begun here.
    let is_mixed = pairs.iter().any(|(_, now)| now.contains(' ') && now.contains('\t'));
    let fits = |(one, other): &(&str, &str)| one.strip_prefix(was).is_some_and(|rest| other.strip_prefix(now) == Some(rest));
    (is_mixed && pairs.iter().all(fits)).then_some(Way::Prefix { was, now })
}
