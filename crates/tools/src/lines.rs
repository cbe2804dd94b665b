//! Where lines stand among others. In a time that grows with how many there are, and not with how often they nearly stand there.

/// The first places, `most` of them, at which `wanted` stands in `lines`, which may overlap.
pub(crate) fn places(lines: &[&str], wanted: &[&str], most: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let back = borders(wanted);
    let mut fits = 0;
    for (at, line) in lines.iter().enumerate() {
        fits = longest(wanted, &back, fits, line);
        if fits == wanted.len() && fits > 0 {
            found.push(at + 1 - fits);
            if found.len() == most {
                break;
            }
        }
    }
    found
}

/// How many of the first lines stand at the end when `line` comes to `fits` of them (Knuth, Morris and Pratt).
fn longest(wanted: &[&str], back: &[usize], mut fits: usize, line: &str) -> usize {
    loop {
        if wanted.get(fits).is_some_and(|wanted| *wanted == line) {
            return fits + 1;
        }
        match fits.checked_sub(1).and_then(|before| back.get(before)) {
            Some(shorter) => fits = *shorter,
            None => return 0,
        }
    }
}

/// For each beginning, how long the longest shorter one is that it ends in.
fn borders(wanted: &[&str]) -> Vec<usize> {
    let mut back = Vec::with_capacity(wanted.len());
    let mut fits = 0;
    for (at, line) in wanted.iter().enumerate() {
        if at > 0 {
            fits = longest(wanted, &back, fits, line);
        }
        back.push(fits);
    }
    back
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::places;

    proptest! {
        #[test]
        fn finds_what_looking_everywhere_finds(lines in "[ab]{0,40}", wanted in "[ab]{1,5}") {
            let (lines, wanted): (Vec<String>, Vec<String>) =
                (lines.chars().map(String::from).collect(), wanted.chars().map(String::from).collect());
            let (lines, wanted): (Vec<&str>, Vec<&str>) =
                (lines.iter().map(String::as_str).collect(), wanted.iter().map(String::as_str).collect());
            let windows = lines.windows(wanted.len()).enumerate();
            let slowly: Vec<usize> = windows.filter(|(_, window)| *window == wanted).map(|(at, _)| at).collect();
            prop_assert_eq!(places(&lines, &wanted, usize::MAX), slowly);
        }
    }
}
