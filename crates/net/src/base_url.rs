//! What a person meant by the address that they typed.

use url::{Host, Url};

use crate::{Reach, reach};

/// Paths below a base URL that people copy along with it from examples and logs.
const ENDPOINTS: [&str; 9] =
    ["/chat/completions", "/completions", "/responses", "/messages", "/models", "/embeddings", "/api/chat", "/api/tags", "/api/generate"];

/// The base URLs to try for `text`, the most likely first, without duplicates; empty when it is no address at all.
///
/// A missing scheme is `http` where the host is this machine or in the owner's network or a port is given, else
/// `https`; the other one follows. A path that ends in `/v1` is tried before the one without, and added where it is missing.
/// In the owner's network, `/api`, `/api/v0` and `/api/v1` are taken for the native interfaces of Ollama and LM Studio, beside which
/// `/v1` is tried before them. Trailing slashes, queries, fragments and copied endpoint paths (`/chat/completions`) go. `localhost`, and `0.0.0.0` as
/// servers print it, give `127.0.0.1` and `[::1]` too.
pub fn base_urls(text: &str) -> Vec<Url> {
    let text = text.trim();
    let mut found = Vec::new();
    for url in with_scheme(text) {
        for host in hosts(&url) {
            let mut at_host = url.clone();
            if at_host.set_host(Some(&host)).is_err() {
                continue;
            }
            for path in paths(&url) {
                let mut candidate = at_host.clone();
                candidate.set_path(&path);
                if !found.contains(&candidate) {
                    found.push(candidate);
                }
            }
        }
    }
    found
}

fn with_scheme(text: &str) -> Vec<Url> {
    let parse = |text: &str| {
        let mut url = Url::parse(text).ok().filter(|url| url.host_str().is_some_and(|host| !host.is_empty()))?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url)
    };
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Vec::new();
    }
    if let Some((scheme, _)) = text.split_once("://") {
        let http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        return parse(text).filter(|_| http).into_iter().collect();
    }
    let text = text.trim_start_matches('/');
    let Some(plain) = parse(&format!("http://{text}")) else { return Vec::new() };
    let secure = parse(&format!("https://{text}"));
    let near = reach(&plain) != Reach::Public || plain.port().is_some_and(|port| port != 443);
    let guesses = if near { [Some(plain), secure] } else { [secure, Some(plain)] };
    guesses.into_iter().flatten().collect()
}

fn hosts(url: &Url) -> Vec<String> {
    let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
    match url.host() {
        Some(Host::Domain("localhost")) => names(&["localhost", "127.0.0.1", "[::1]"]),
        Some(Host::Ipv4(address)) if address.is_unspecified() => names(&["127.0.0.1", "[::1]"]),
        Some(Host::Ipv6(address)) if address.is_unspecified() => names(&["127.0.0.1", "[::1]"]),
        _ => url.host_str().map(str::to_owned).into_iter().collect(),
    }
}

/// Where Ollama and LM Studio have interfaces of their own.
const NATIVE: [&str; 3] = ["/api", "/api/v0", "/api/v1"];

fn paths(url: &Url) -> Vec<String> {
    let mut path = url.path().trim_end_matches('/');
    if let Some(base) = ENDPOINTS.iter().find_map(|endpoint| path.strip_suffix(endpoint)) {
        path = base.trim_end_matches('/');
    }
    let usual = match path.strip_suffix("/v1") {
        Some(without) => [path.to_owned(), without.to_owned()],
        None => [format!("{path}/v1"), path.to_owned()],
    };
    let beside = NATIVE.iter().find_map(|native| path.strip_suffix(native)).filter(|_| reach(url) != Reach::Public);
    beside.map(|root| format!("{root}/v1")).into_iter().chain(usual).collect()
}
