//! Whatever a model remembers of a file, an edit changes the one place that it names or none.
#![no_main]

use krabba_fuzz::texts;
use krabba_tools::{Replacement, replace_pieces};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [text, old, new, again] = texts(data);
    let edit = Replacement { old: old.clone(), new: new.clone() };
    let edited = replace_pieces(&text, std::slice::from_ref(&edit));
    let times = if old.is_empty() { 0 } else { text.matches(&old).count() };
    match &edited {
        Ok(edited) if times == 1 => assert_eq!(*edited, text.replacen(&old, &new, 1)),
        Ok(edited) => {
            assert_eq!(times, 0, "one of several places was guessed");
            let lines = |text: &str| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
            let (before, after, asked) = (lines(&text), lines(edited), lines(old.trim_matches('\n')));
            let same = before.iter().zip(&after).take_while(|(one, two)| one == two).count();
            let place = (0..=same).any(|at| before.get(at..at + asked.len()) == Some(asked.as_slice()));
            assert!(place, "what was replaced does not look like what was asked for");
        }
        Err(why) => assert!(!why.is_empty()),
    }
    // Several are each made in what the ones before them left, or not at all.
    let second = Replacement { old: again, new: old };
    let both = replace_pieces(&text, &[edit, second.clone()]);
    let one_by_one = edited.and_then(|edited| replace_pieces(&edited, &[second]));
    assert_eq!(both.ok(), one_by_one.ok());
});
