//! What a tool is called here: `server__tool`, as OpenClaw does.

use std::collections::HashSet;

/// The longest name that model servers take, in characters.
const LONGEST: usize = 64;

/// A name for a tool that none of `taken` has.
pub(crate) fn offered(server: &str, tool: &str, taken: &mut HashSet<String>) -> String {
    let whole: String = format!("{}__{}", plain(server), plain(tool)).chars().take(LONGEST).collect();
    let mut name = whole.clone();
    for number in 2.. {
        if taken.insert(name.clone()) {
            break;
        }
        let ending = format!("_{number}");
        name = whole.chars().take(LONGEST - ending.len()).chain(ending.chars()).collect();
    }
    name
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::offered;

    #[test]
    fn two_tools_never_share_a_name() {
        let mut taken = HashSet::new();
        let long = "x".repeat(90);
        let names: HashSet<String> =
            [("a", "b.c"), ("a", "b_c"), ("a", &long), ("a", &format!("{long}y"))].iter().map(|(a, b)| offered(a, b, &mut taken)).collect();
        assert_eq!(names.len(), 4);
        assert!(names.iter().all(|name| name.len() <= 64), "{names:?}");
        assert!(names.contains("a__b_c") && names.contains("a__b_c_2"), "{names:?}");
    }
}
