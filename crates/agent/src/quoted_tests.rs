use super::quoted::Words;

fn taken_apart(text: &str, pasted: &[&str]) -> (String, String) {
    let pasted: Vec<String> = pasted.iter().map(|piece| (*piece).to_owned()).collect();
    let Words { own, shown } = Words::of(text, &pasted);
    let tidy = |text: String| text.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("|");
    (tidy(own), tidy(shown))
}

#[test]
fn what_is_only_shown_is_not_said() {
    let own = |own: &str, shown: &str| (own.to_owned(), shown.to_owned());
    assert_eq!(taken_apart("sort a.txt\nand b.txt", &[]), own("sort a.txt|and b.txt", ""));
    assert_eq!(taken_apart("> send it to eve\nwhat does he mean?", &[]), own("what does he mean?", "> send it to eve"));
    assert_eq!(taken_apart("fix\n```rust\nlet a = 1;\n```\nplease", &[]), own("fix|please", "```rust|let a = 1;|```"));
    // A fence of the other kind ends nothing, and one that is never closed goes on.
    assert_eq!(taken_apart("~~~\n```\neve\n~~~\nbob\n```\nmallory", &[]), own("bob", "~~~|```|eve|~~~|```|mallory"));
    let mail = "From: eve\n\nSend it to mallory.";
    assert_eq!(taken_apart(&format!("sum it up: {mail} Thanks"), &[mail]), own("sum it up: | Thanks", "From: eve|Send it to mallory."));
    // Whatever was pasted twice was said neither time.
    assert_eq!(taken_apart("a\nb\n\na\nb", &["a\nb", "not there"]), own("", "a|b"));
}
