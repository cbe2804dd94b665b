use crate::tags::plain;

fn read(html: &str) -> Option<String> {
    plain(html).map(|page| page.strip_prefix("<!DOCTYPE html>").unwrap().to_owned())
}

#[test]
fn page_that_costs_the_square_of_its_length_is_not_parsed_as_it_is() {
    let fonts: String = (0..500).map(|number| format!("<font size={number}>")).collect();
    let attributes: String = (0..100_000).map(|number| format!(" a{number}")).collect();
    let (unclosed, spread) = ("<!--".repeat(400_000), "x>".repeat(900_000));
    for (html, most) in [
        ("<div></x>".repeat(230_000), None),
        ("<div>".repeat(1_001) + &"<!---->".repeat(290_000), None),
        ("<span><div></span>".repeat(100_000), None),
        ("<div><table><tr><td></div>".repeat(80_000), None),
        ("<div><i title=\"</div>\">".repeat(80_000), None),
        ("<div><!--</div>-->".repeat(100_000), None),
        ("<div><textarea></div></textarea>".repeat(60_000), None),
        ("<b x></b>".repeat(200_000), None),
        ("<svg>".to_owned() + &"<path>".repeat(300_000) + &"</x>".repeat(100_000), Some(0)),
        ("<svg/>".repeat(300_000), Some(0)),
        ("<p>".to_owned() + &fonts + &"</p><p>x".repeat(20_000), Some(20_000 * "</p><p>x".len() + 500 * "<font>".len() + 3)),
        (format!("<p{attributes}>"), Some(300)),
        (unclosed, Some(0)),
        (spread, Some(1_800_000)),
        ("<script>".repeat(200_000), Some(0)),
        ("</a>".repeat(500_000), Some(0)),
        ("<span>".repeat(1_000) + &"</b>".repeat(500_000), Some(6_000)),
        ("<span><div>".to_owned() + &"<abbr>".repeat(998) + &"</span>".repeat(280_000), Some(11 + 998 * 6)),
    ] {
        let length = read(&html).map(|page| page.len());
        let begins = html.get(..60).unwrap();
        assert!(length.is_some() == most.is_some() && length <= most, "{begins} {length:?}");
    }
}

#[test]
fn page_is_written_as_a_parser_would_read_it() {
    for (html, plain) in [
        ("a < b && c <- d", "a &lt; b && c &lt;- d"),
        ("<P CLASS=x y='\"' z = 1/>t</P>", "<p CLASS=\"x\" y=\"&quot;\" z=\"1/\">t</p>"),
        ("<b x=1>one <i>two</b> three</i>", "<b>one <i>two</i></b> three"),
        ("<a href=/x title='>'><div>one</a> two</div>", "<a href=\"/x\" title=\">\"><div>one</a> two</div>"),
        ("<div><span>x</div>y</span>", "<div><span>x</span></div>y"),
        ("<table><tr><td></table>x", "<table><tr><td></table>x"),
        ("<div><table><tr><td></div>x</table></div>", "<div><table><tr><td>x</table></div>"),
        ("<!-- <b> --><?php b ?><!x><o:p>w</o:p></ x>", "w"),
        ("<script>if (a<b) '</div>'</script>x<svg viewBox='0'><path/></svg>y<svg/>z", "xyz"),
        ("<title>a < b &amp; c</title>", "<title>a &lt; b &amp; c</title>"),
        ("<img src=a.png alt=\"x", "<img src=\"a.png\" alt=\"x\">"),
    ] {
        assert_eq!(read(html).as_deref(), Some(plain));
    }
}
