//! A server address as somebody named it.

use krabba_net::{Url, base_urls};
use krabba_types::{BoxId, ProviderId, Secret, ServerKind};

/// A server that may be asked: what the configuration (or a person, or [`discover`](crate::discover)) named.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Who serves it in the configuration; none while looking around.
    pub provider: Option<ProviderId>,
    /// As configured: with or without scheme, `/v1` and trailing slash.
    pub base_url: String,
    /// Sent as `Authorization: Bearer`, unless a header of that name is given.
    pub key: Option<Secret>,
    /// Sent with every request.
    pub headers: Vec<(String, Secret)>,
    /// The machine behind it.
    pub box_id: BoxId,
    /// What is expected there; decides which harmless path is asked first. Without it the port decides.
    pub kind_hint: Option<ServerKind>,
    /// Whether it may be asked for its state now and then. A hosted endpoint usually is not.
    pub probe: bool,
}

impl Endpoint {
    /// An endpoint of which nothing but the address is known.
    pub fn new(base_url: impl Into<String>) -> Self {
        let base_url = base_url.into();
        let box_id = box_of(&base_url);
        Self { provider: None, base_url, key: None, headers: Vec::new(), box_id, kind_hint: None, probe: true }
    }

    /// The roots to try, most likely first: addresses without a trailing `/v1`, each once.
    pub(crate) fn roots(&self) -> Vec<Url> {
        let mut roots: Vec<Url> = Vec::new();
        for candidate in base_urls(&self.base_url) {
            let root = without_version(candidate);
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        roots
    }

    /// What to expect: the hint, else what usually listens on that port.
    pub(crate) fn expected(&self, root: &Url) -> Option<ServerKind> {
        self.kind_hint.or_else(|| usual_server(root.port_or_known_default()?))
    }
}

/// The ports where model servers listen unless told otherwise, each asked once when looking around. 8080 is shared by
/// llama.cpp, mlx_lm and LocalAI; 9931 is llama.cpp's in its newest documentation; 5000 is text-generation-webui's.
pub(crate) const USUAL_PORTS: [u16; 9] = [1234, 11434, 8080, 8000, 30000, 4000, 1337, 9931, 5000];

fn usual_server(port: u16) -> Option<ServerKind> {
    match port {
        1234 => Some(ServerKind::LmStudio),
        8080 | 9931 => Some(ServerKind::LlamaCpp),
        11434 => Some(ServerKind::Ollama),
        8000 => Some(ServerKind::Vllm),
        30000 => Some(ServerKind::Sglang),
        4000 => Some(ServerKind::LiteLlm),
        1337 => Some(ServerKind::Jan),
        _ => None,
    }
}

fn without_version(mut url: Url) -> Url {
    let path = url.path().trim_end_matches('/');
    let root = path.strip_suffix("/v1").unwrap_or(path).trim_end_matches('/').to_owned();
    url.set_path(&root);
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn box_of(base_url: &str) -> BoxId {
    let first = base_urls(base_url).into_iter().next();
    match first.as_ref().map(|url| (url.scheme(), url.host_str(), url.port_or_known_default())) {
        Some((scheme, Some(host), Some(port))) => BoxId::of_address(scheme, host, port),
        Some(_) | None => BoxId::named(base_url),
    }
}

/// Puts `path` (with its leading slash) behind `root`. A query may be part of it.
pub(crate) fn join(root: &Url, path: &str) -> Url {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let mut url = root.clone();
    let joined = format!("{}{path}", root.path().trim_end_matches('/'));
    url.set_path(&joined);
    url.set_query(query);
    url
}
