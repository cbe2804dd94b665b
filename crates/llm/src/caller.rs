//! Sends one request.

use std::sync::Arc;

use krabba_dialect::{Encoded, encode, endpoint_url, key_header};
use krabba_markup::Toolbox;
use krabba_net::{HttpClient, HttpRequest, Url, display_url};
use krabba_redact::Redactor;
use krabba_types::{Fault, FaultKind, ModelRequest, Phase, Secret};

use crate::answer::{Answer, Asked};
use crate::offer::Offer;
use crate::stream::Call;
use crate::{ModelStream, Site, Target, call_id};

/// Header names whose values are secrets, by a part of the name.
const SECRET_HEADERS: [&str; 6] = ["authorization", "key", "token", "secret", "cookie", "password"];

/// Makes calls. Cheap to clone; holds no state of any route.
#[derive(Clone, Debug)]
pub struct Caller {
    http: HttpClient,
    redactor: Redactor,
}

impl Caller {
    /// Sends with `http`. Keys of targets are made known to `redactor` before they are used.
    pub fn new(http: HttpClient, redactor: Redactor) -> Self {
        Self { http, redactor }
    }

    /// Starts one call to one route. Nothing is sent until the stream is polled; a target that cannot be called at all gives a stream of
    /// one fault.
    pub fn call(&self, target: Target, request: ModelRequest) -> ModelStream {
        self.register(&target);
        let text = endpoint_url(target.dialect, &target.base_url);
        // `box:1234` is a URL too, of the scheme `box`.
        let Some(url) = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
            let address = self.redactor.redact(&target.base_url);
            let message =
                format!("the base URL \"{address}\" of {} is no http or https URL; correct it in the configuration", target.route);
            return ModelStream::failed(Fault::new(FaultKind::Unreachable, Phase::Connect, message));
        };
        let site = Arc::new(Site::of(&target, self.redactor.redact(&display_url(&url)).into_owned(), self.redactor.clone()));
        let offer = Offer::of(&request, &target);
        let encoded = encode(target.dialect, &offer.request, &target.shape);
        let framing = encoded.framing;
        let outgoing = outgoing(url, encoded, &target);
        let (channel, envelope) = (offer.channel, offer.envelope);
        let asked = Asked { toolbox: Toolbox::of(request), orphan: target.orphan, ids: call_id::fresh, channel, envelope };
        let http = self.http.clone();
        let sending = Box::pin(async move { http.send(outgoing).await });
        ModelStream::start(sending, Call { answer: Answer::new(Arc::clone(&site), asked), site, framing })
    }

    fn register(&self, target: &Target) {
        let secrets = target.headers.iter().filter(|(name, _)| {
            let name = name.to_ascii_lowercase();
            SECRET_HEADERS.iter().any(|part| name.contains(part))
        });
        for secret in target.key.iter().chain(secrets.map(|(_, value)| value)) {
            self.redactor.register(secret);
            // A server quotes the token without the scheme that stood before it.
            if let Some((_, token)) = secret.expose().trim().split_once(' ') {
                self.redactor.register(&Secret::new(token.trim()));
            }
        }
    }
}

fn outgoing(url: Url, encoded: Encoded, target: &Target) -> HttpRequest {
    let mut request = HttpRequest::post_json(url, encoded.body.into()).connect_timeout(target.connect_timeout).repeatable();
    for (name, value) in encoded.headers {
        request = request.header(name, Secret::new(value));
    }
    if let Some(key) = target.key.as_ref().filter(|key| !key.is_empty()) {
        let header = key_header(target.dialect, target.shape.server);
        request = request.header(header.name(), Secret::new(header.value(key.expose().trim())));
    }
    for (name, value) in &target.headers {
        request = request.header(name.clone(), value.clone());
    }
    request
}
