use super::{Granted, host as spelled};

fn host(text: &str) -> Granted {
    Granted::parse(text).unwrap()
}

#[test]
fn a_grant_opens_this_host_and_no_other() {
    let granted = host("API.example.com.");
    assert!(granted.allows("api.example.com", 443) && granted.allows("api.example.com", 80));
    for (name, port) in [
        ("api.example.com", 22),
        ("example.com", 443),
        ("x.api.example.com", 443),
        ("api.example.com.evil.example", 443),
        ("api-example.com", 443),
        ("93.184.216.34", 443),
    ] {
        assert!(!granted.allows(name, port), "{name}:{port}");
    }
    assert!(host("a.example:8443").allows("a.example", 8443));
    assert!(!host("a.example:8443").allows("a.example", 443));
    assert!(host("[fd00::1]:80").allows("fd00::1", 80));
}

#[test]
fn a_name_that_leads_home_is_not_followed() {
    let near = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1"];
    for address in near.map(|address| address.parse().unwrap()) {
        assert!(!host("rebound.example").permits(address), "{address}");
        assert!(!Granted::Internet.permits(address), "{address}");
    }
    assert!(host("10.0.0.1:8080").permits("10.0.0.1".parse().unwrap()));
    assert!(!host("10.0.0.1:8080").permits("10.0.0.2".parse().unwrap()));
    assert!(host("localhost:8080").permits("127.0.0.1".parse().unwrap()));
    assert!(!host("localhost:8080").permits("10.0.0.1".parse().unwrap()));
    assert!(host("a.example").permits("1.1.1.1".parse().unwrap()));
}

#[test]
fn what_is_no_host_is_not_granted() {
    for text in [
        "",
        ".",
        "http://a.example",
        "a.example/",
        "a b",
        "a.example:0",
        "a.example:65536",
        "a.example:+80",
        "a@b",
        "[a]:80",
        "[::1]80",
        "*",
        "a.example:",
    ] {
        assert!(Granted::parse(text).is_none(), "{text}");
    }
}

#[test]
fn a_host_has_one_spelling() {
    for (text, spelling) in [
        (" GitHub.com. ", "github.com"),
        ("a.example:8443", "a.example:8443"),
        ("[FD00::1]:80", "[fd00::1]:80"),
        ("fd00::1", "fd00::1"),
        ("localhost:8080", "localhost:8080"),
    ] {
        assert_eq!(spelled(text).unwrap(), spelling);
        assert_eq!(Granted::parse(text.trim()), Granted::parse(spelling));
    }
    let refused = spelled("https://github.com/a").unwrap_err().to_string();
    assert!(refused.contains("\"https://github.com/a\" is no host; write one as"), "{refused}");
}
