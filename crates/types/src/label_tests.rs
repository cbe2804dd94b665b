use crate::Label;

/// A label of every kind, and enough foreign ones for a label to stop naming them.
fn labels() -> Vec<Label> {
    let many = (0..30).map(|number| Label::untrusted(format!("page {number:02}")));
    let many = many.reduce(|one, two| one.join(&two)).unwrap();
    let guest = |person: &str| Label::Guest { person: person.to_owned() };
    vec![
        Label::Owner,
        Label::System,
        Label::Minted,
        guest("eve"),
        guest("mallory"),
        Label::untrusted("a page"),
        Label::untrusted("z"),
        many,
    ]
}

#[test]
fn the_order_of_joining_does_not_matter() {
    for a in labels() {
        assert_eq!(a.join(&a), a);
        for b in labels() {
            assert_eq!(a.join(&b), b.join(&a));
            for c in labels() {
                assert_eq!(a.join(&b).join(&c), a.join(&b.join(&c)), "{a:?}, {b:?}, {c:?}");
            }
        }
    }
}

#[test]
fn nothing_is_cleaner_than_what_it_was_made_of() {
    for a in labels() {
        for b in labels() {
            assert_eq!(a.join(&b).is_own(), a.is_own() && b.is_own());
        }
    }
}

#[test]
fn what_is_made_of_nothing_is_ours() {
    assert_eq!(Label::join_all([]), Label::System);
    assert_eq!(Label::join_all([&Label::Owner]), Label::Owner);
    assert_eq!(Label::join_all([&Label::Owner, &Label::System]), Label::Minted);
}
