use crate::base_urls;

fn tried(text: &str) -> Vec<String> {
    base_urls(text).iter().map(|url| url.as_str().trim_end_matches('/').to_owned()).collect()
}

#[test]
fn a_url_is_tried_with_and_without_v1_whatever_its_end() {
    for text in ["http://box:1234", "http://box:1234/", "http://box:1234/v1", "http://box:1234/v1/", " http://box:1234/v1?x=1#y "] {
        assert_eq!(tried(text), ["http://box:1234/v1", "http://box:1234"], "{text}");
    }
}

#[test]
fn a_missing_scheme_is_http_near_home_and_https_elsewhere() {
    let near = ["http://192.168.1.5:1234/v1", "http://192.168.1.5:1234", "https://192.168.1.5:1234/v1", "https://192.168.1.5:1234"];
    assert_eq!(tried("192.168.1.5:1234"), near);
    assert_eq!(tried("box:8080")[0], "http://box:8080/v1");
    assert_eq!(tried("models.example.com:8000/v1")[0], "http://models.example.com:8000/v1");
    assert_eq!(tried("api.example.com")[0], "https://api.example.com/v1");
}

#[test]
fn localhost_and_the_unspecified_address_are_all_of_this_machine() {
    let expected = [
        "http://localhost:1234/v1",
        "http://localhost:1234",
        "http://127.0.0.1:1234/v1",
        "http://127.0.0.1:1234",
        "http://[::1]:1234/v1",
        "http://[::1]:1234",
    ];
    assert_eq!(tried("http://localhost:1234"), expected);
    for text in ["http://0.0.0.0:1234", "http://[::]:1234/"] {
        assert_eq!(tried(text), &expected[2..], "{text}");
    }
}

#[test]
fn a_copied_endpoint_is_not_part_of_the_base() {
    for text in ["https://x.example/v1/chat/completions", "https://x.example/v1/models", "https://x.example/v1/responses/"] {
        assert_eq!(tried(text), ["https://x.example/v1", "https://x.example"], "{text}");
    }
    assert_eq!(tried("http://box:11434/api/tags"), ["http://box:11434/v1", "http://box:11434"]);
    assert_eq!(tried("https://openrouter.ai/api/v1"), ["https://openrouter.ai/api/v1", "https://openrouter.ai/api"]);
}

#[test]
fn a_servers_native_interface_leads_to_the_one_beside_it() {
    assert_eq!(tried("http://box:1234/api/v1"), ["http://box:1234/v1", "http://box:1234/api/v1", "http://box:1234/api"]);
    assert_eq!(tried("http://box:1234/api/v0/")[0], "http://box:1234/v1");
    assert_eq!(tried("box:11434/api")[0], "http://box:11434/v1");
}

#[test]
fn what_is_no_address_gives_nothing() {
    for text in ["", "   ", "hello world", "ftp://box/", "http://", "://x"] {
        assert_eq!(tried(text), Vec::<String>::new(), "{text}");
    }
}
