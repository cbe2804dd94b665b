use url::Url;

use crate::Egress;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn only_the_origin_that_was_named_is_permitted() {
    let egress = Egress::none();
    egress.allow(&url("https://api.example.com/v1"));
    let asked = [
        "https://api.example.com/v1/responses",
        "https://API.example.com:443/other",
        "https://api.example.com./v1",
        "http://api.example.com/v1",
        "https://api.example.com:8443/v1",
        "https://example.com/",
        "https://api.example.com.evil.test/",
        "https://api.example.com@evil.test/",
    ];
    assert_eq!(asked.map(|text| egress.permits(&url(text))), [true, true, true, false, false, false, false, false]);
}

#[test]
fn nothing_is_permitted_before_it_is_named() {
    let egress = Egress::none();
    egress.allow(&url("file:///etc/passwd"));
    assert!(!egress.permits(&url("http://127.0.0.1:1234/")));
    assert!(!egress.permits(&url("file:///etc/passwd")));
}

#[test]
fn the_names_of_this_machine_are_one_host_but_ports_differ() {
    let egress = Egress::none();
    egress.allow(&url("http://localhost:1234/v1"));
    let asked = ["http://127.0.0.1:1234/", "http://[::1]:1234/", "http://localhost:1235/", "http://192.168.1.2:1234/"];
    assert_eq!(asked.map(|text| egress.permits(&url(text))), [true, true, false, false]);
}

#[test]
fn what_is_allowed_later_holds_for_earlier_clones() {
    let egress = Egress::none();
    let clone = egress.clone();
    egress.allow(&url("http://box:1/"));
    assert!(clone.permits(&url("http://box:1/x")));
}
