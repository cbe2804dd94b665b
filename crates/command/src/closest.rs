//! Names that look like what was typed.

/// How many are offered.
const OFFERED: usize = 3;

/// The names closest to `text`, best first: those that begin with it, then those within a few typing errors.
pub(crate) fn closest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = text.to_lowercase();
    let allowed = 1 + wanted.chars().count() / 4;
    let mut ranked: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = if lower.starts_with(&wanted) { 0 } else { edits(&wanted, &lower) };
            (distance <= allowed && name.chars().count() > 1).then_some((distance, name))
        })
        .collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(OFFERED).map(|(_, name)| name.to_owned()).collect()
}

/// The number of characters to insert, remove or replace to get from one text to the other, where two neighbours that
/// changed places count once, as they do under a typist's fingers.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous_left = None;
    for (index, left) in from.chars().enumerate() {
        let mut row = vec![index + 1];
        let mut previous_right = None;
        for (column, right) in to.iter().copied().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&last, column) + usize::from(left != right)).min(at(&last, column + 1) + 1).min(at(&row, column) + 1);
            if previous_left == Some(right) && previous_right == Some(left) {
                best = best.min(at(&before_last, column.saturating_sub(1)) + 1);
            }
            row.push(best);
            previous_right = Some(right);
        }
        previous_left = Some(left);
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}
