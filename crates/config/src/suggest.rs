//! The name that was probably meant.

/// Nobody meant a known name who wrote more bytes than this, and comparing them is dear.
const LONGEST: usize = 64;

/// The closest of `known` to `given`, unless even that is far off. Case does not count.
pub(crate) fn closest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if given.len() > LONGEST {
        return None;
    }
    let given: Vec<char> = given.to_lowercase().chars().collect();
    let limit = (given.len() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (candidate, candidate.to_lowercase().chars().collect::<Vec<char>>()))
        // Each letter more or less is a step.
        .filter(|(_, letters)| letters.len().abs_diff(given.len()) <= limit)
        .map(|(candidate, letters)| (distance(&given, &letters), candidate))
        .filter(|&(steps, _)| steps <= limit)
        .min_by_key(|&(steps, _)| steps)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, taken, replaced or swapped with their neighbour.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; right.len() + 1];
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut current = Vec::with_capacity(right.len() + 1);
        current.push(row + 1);
        for (column, b) in right.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&previous, column) + usize::from(a != b);
            let mut best = replaced.min(at(&previous, column + 1) + 1).min(at(&current, column) + 1);
            let swapped = row > 0 && column > 0 && left.get(row - 1) == Some(b) && right.get(column - 1) == Some(a);
            if swapped {
                best = best.min(at(&before, column - 1) + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut previous, current);
    }
    previous.last().copied().unwrap_or(0)
}
