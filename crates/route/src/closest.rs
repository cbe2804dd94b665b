//! Names that look like what was typed.

/// How many are offered.
const OFFERED: usize = 5;

/// The names closest to `text`, best first: those that contain it, then those within a few typing errors of it, compared
/// without regard to case and also against the part behind the last `/`.
pub(crate) fn closest(text: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let wanted = text.to_lowercase();
    let wanted_id = last_part(&wanted).to_owned();
    let mut ranked: Vec<(usize, String)> = names
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = if lower.contains(&wanted) || (wanted_id.len() >= 3 && lower.contains(&wanted_id)) {
                0
            } else {
                edits(&wanted, &lower).min(edits(&wanted_id, last_part(&lower)))
            };
            (distance <= 2.max(wanted_id.chars().count() / 4)).then_some((distance, name))
        })
        .collect();
    ranked.sort();
    ranked.dedup();
    ranked.into_iter().take(OFFERED).map(|(_, name)| name).collect()
}

/// The question that offers them.
pub(crate) fn did_you_mean(names: &[String]) -> String {
    format!("did you mean {}?", names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(" or "))
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The number of characters to insert, remove or replace to get from one text to the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, left) in from.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(index + 1);
        for ((right, diagonal), above) in to.iter().zip(&row).zip(row.iter().skip(1)) {
            let before = next.last().copied().unwrap_or(index + 1);
            let replaced = diagonal + usize::from(left != *right);
            next.push(replaced.min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
