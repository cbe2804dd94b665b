use krabba_types::ExtractMode;

use crate::page::{markdown, text};

const URL: &str = "https://example.com/a/b";

const WORDS: &str = "<p>A paragraph with commas, and words enough, so that it counts as one of an article, and not as a caption.</p>";

#[test]
fn article_is_told_without_what_stands_around_it() {
    let html = format!(
        "<html><head><title>T &amp; U</title><style>p {{}}</style></head><body><nav><a href=/x>Menu</a></nav><article>{}\
         <p>See <a href='/rel?q=1'>this</a> and <code>x = 1</code>, which is one more sentence of the text.</p>\
         <ul><li>one<li>two</ul></article><script>alert(1)</script></body></html>",
        WORDS.repeat(6)
    );
    let read = markdown(&html, URL);
    assert!(read.starts_with("# T & U\n\nA paragraph"), "{read}");
    assert!(read.contains("[this](https://example.com/rel?q=1)") && read.contains("- two"), "{read}");
    assert!(!read.contains("alert") && !read.contains("Menu"), "{read}");
    let bare = text(Some("text/html"), html.as_bytes(), URL, ExtractMode::Text).unwrap();
    assert!(bare.starts_with("T & U\n\nA paragraph") && bare.contains("See this and x = 1, which"), "{bare}");
}

#[test]
fn page_that_is_made_to_be_dear_is_told_as_bare_text() {
    for (html, words) in [
        ("<div>".repeat(300_000) + "deep<script>x</script> &lt;end", "deep\n<end"),
        ("<b><i>".repeat(100_000) + "deep", "deep"),
        ("<table><tr><td>".repeat(600) + "deep", "deep"),
        ("<div></x>".repeat(230_000) + "deep", "deep"),
        ("<div>".repeat(1_001) + &"<!---->".repeat(290_000) + "deep", "deep"),
        ("<svg>".to_owned() + &"<path>".repeat(100_000) + &"</x>".repeat(300_000) + "</svg>deep", "deep"),
        ("<b>x</b>".repeat(50_000), "x x"),
    ] {
        let read = markdown(&html, URL);
        assert!(read.contains(words), "{}", read.get(..100).unwrap_or(&read));
    }
    assert_eq!(markdown("", URL), "");
    assert_eq!(markdown("<h1>Hi</h1><!-- <b>not</b> -->there", URL), "## Hi\n\nthere");
}

#[test]
fn body_is_read_in_its_own_letters_or_refused() {
    assert_eq!(text(Some("text/plain; charset=iso-8859-1"), b"gr\xfcn", URL, ExtractMode::Markdown).unwrap(), "grün");
    assert_eq!(
        text(Some("text/html"), "<meta charset=\"windows-1251\">\u{0}".as_bytes().split_last().unwrap().1, URL, ExtractMode::Markdown)
            .unwrap(),
        ""
    );
    assert_eq!(text(Some("application/feed+json"), b"{\"a\": 1}", URL, ExtractMode::Markdown).unwrap(), "{\"a\": 1}");
    assert_eq!(text(None, b"plain", URL, ExtractMode::Markdown).unwrap(), "plain");
    assert_eq!(text(Some("image/png"), b"\x89PNG", URL, ExtractMode::Markdown).unwrap_err(), "there is no text but image/png");
    assert_eq!(text(None, b"\x7fELF\0\0", URL, ExtractMode::Markdown).unwrap_err(), "there is no text");
}

proptest::proptest! {
    #[test]
    fn no_page_brings_it_down(html in "(<(/?)(div|p|table|tr|td|a|b|script|!--|x)( href=\"[a-z:/?#&]{0,6}\")?>?|[a-z &;]{0,5}|<|>|&lt;){0,40}") {
        let _read = markdown(&html, URL);
    }
}
