//! Links that nothing follows.

use crate::defang;

#[test]
fn made_up_link_loses_its_teeth_and_a_known_one_keeps_its_surroundings() {
    let known = ["https://docs.example/guide", "https://docs.example/a_(b"];
    let told = |text: &str| defang(text, |link| known.contains(&link));
    for text in [
        "See https://docs.example/guide.",
        "`https://docs.example/guide`, **https://docs.example/guide**, |https://docs.example/guide|",
        "[it](https://docs.example/guide) (https://docs.example/guide)!",
        "2.https://docs.example/guide, (a)https://docs.example/guide",
        "見る https://docs.example/guide。次、https://docs.example/guide」",
        "array.push, src/main.rs:10, a.size/b.size, std::net, split(\"://\")",
    ] {
        assert_eq!(told(text), text);
    }
    for (text, without) in [
        ("https://evil.example:8080/?d=1.", "hxxps://evil[.]example[:]8080/?d=1."),
        ("![x](HTTP://evil.example/a.png)", "![x](HxxP://evil[.]example/a.png)"),
        ("https://docs.example/guide?d=1", "hxxps://docs[.]example/guide?d=1"),
        ("2.https://evil.example/", "2.hxxps://evil[.]example/"),
        ("www.ähttp://evil.example/", "www.ähxxp://evil[.]example/"),
        ("www.evil.example", "www[.]evil[.]example"),
        ("mailto:m@evil.example", "mailto[:]m@evil[.]example"),
        ("aaaaaaaaaaaaaaaaaaaaaaaahttps://evil.example/", "aaaaaaaaaaaaaaaaaaaaaaaahttps[:]//evil.example/"),
    ] {
        assert_eq!(told(text), without);
    }
}
