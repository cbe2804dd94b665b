//! `web_fetch`: a page of the web, as it is read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_net::{PageExtent, Pages, Reach, Url, reach};
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, ExtractMode, Fetch, Label, Secret, ToolSpec};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::files::Failed;
use crate::web::asked;
use crate::{arguments, page};

/// How long a page is kept to be read on, and how many are.
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);
const KEPT: usize = 8;

/// How pages are got.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    /// What may be reached.
    pub pages: Pages,
    /// The longest page, in bytes.
    pub max_bytes: usize,
    /// The longest text that is given at once, in characters.
    pub max_chars: u32,
    /// How long it may take.
    pub timeout: Duration,
    /// Keys of the owner's that a page may be asked with, by name.
    pub keys: BTreeMap<String, PageKey>,
}

/// A key of the owner's, and where it may go. It is filled in when the request leaves, and seen by no model.
#[derive(Clone, Debug)]
pub struct PageKey {
    /// Hosts, by their whole names in small letters.
    pub hosts: Vec<String>,
    /// The header that it stands in.
    pub header: String,
    /// All that stands there.
    pub value: Secret,
}

impl PageKey {
    /// Whether it may go there: to one of its hosts, where nobody on the way reads it.
    fn is_for(&self, url: &Url) -> bool {
        let private = url.scheme() == "https" || reach(url) != Reach::Public;
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        private && self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self { pages: Pages::default(), max_bytes: 2 << 20, max_chars: 50_000, timeout: Duration::from_secs(30), keys: BTreeMap::new() }
    }
}

pub(crate) struct WebFetch {
    spec: ToolSpec,
    settings: FetchSettings,
    kept: Mutex<Vec<Kept>>,
}

/// A page that was read.
#[derive(Clone)]
struct Kept {
    asked: (String, Option<String>, ExtractMode),
    at: Instant,
    /// Where it came from in the end.
    from: Url,
    /// Whose it is: whoever sends on has a say too, be it by the address alone.
    label: Label,
    text: Arc<str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    url: String,
    max_chars: Option<u32>,
    #[serde(default)]
    offset: u32,
    secret: Option<String>,
    #[serde(default)]
    extract_mode: ExtractMode,
}

impl WebFetch {
    pub(crate) fn new(settings: FetchSettings) -> Self {
        let (text, number) = (json!({"type": "string"}), json!({"type": "integer"}));
        let mut properties = json!({"url": text, "maxChars": number, "offset": number});
        let mut description = "Get a web page as Markdown. offset (characters) goes on with a long one.".to_owned();
        if !settings.keys.is_empty() {
            properties["secret"] = text;
            let keys: Vec<String> = settings.keys.iter().map(|(name, key)| format!("{name} for {}", key.hosts.join(", "))).collect();
            description.push_str(&format!(" secret names a key of the owner's to ask with: {}.", keys.join("; ")));
        }
        let spec = arguments::spec("web_fetch", &description, properties, &["url"]);
        Self { spec, settings, kept: Mutex::default() }
    }

    fn planned(&self, call: Call<'_>) -> Result<Action, Refusal> {
        let Arguments { url, max_chars, offset, secret, extract_mode: extract } = arguments::read(call)?;
        let mut url = Url::parse(url.trim()).map_err(|error| Refusal::new(format!("this is no address: {error}")))?;
        url.set_fragment(None);
        self.settings.pages.check(&url).map_err(|error| Refusal::new(error.to_string()))?;
        let secret = secret.filter(|name| !name.is_empty());
        if let Some(name) = &secret {
            let key = self.settings.keys.get(name).ok_or_else(|| Refusal::new(format!("there is no key \"{name}\"")))?;
            if !key.is_for(&url) {
                return Err(Refusal::new(format!(
                    "{name} is for {} alone, and goes there by https (rule bound-keys)",
                    key.hosts.join(", ")
                )));
            }
        }
        let max_chars = max_chars.map_or(self.settings.max_chars, |most| most.clamp(1, self.settings.max_chars));
        Ok(Action::Fetch(Fetch { url: url.to_string(), max_chars, offset, secret, extract }))
    }

    async fn fetched(&self, fetch: &Fetch) -> Result<Kept, Failed> {
        let now = Instant::now();
        let fresh = |kept: &Kept| now.saturating_duration_since(kept.at) < KEPT_FOR;
        let asked = (fetch.url.clone(), fetch.secret.clone(), fetch.extract);
        let known =
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|kept| kept.asked == asked && fresh(kept)).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let url = Url::parse(&fetch.url)?;
        let key = fetch.secret.as_ref().and_then(|name| self.settings.keys.get(name)).filter(|key| key.is_for(&url));
        let header = key.map(|key| (key.header.as_str(), &key.value));
        let page = self.settings.pages.get(&url, header, self.settings.max_bytes).await?;
        if !(200..300).contains(&page.status) {
            return Err(Failed(format!("{} answered {}", page.url.host_str().unwrap_or_default(), page.status)));
        }
        let (from, extract) = (page.url.clone(), fetch.extract);
        let origin = |url: &Url| Label::untrusted(url.host_str().unwrap_or_default());
        let label = page.through.iter().fold(origin(&page.url), |label, url| label.join(&origin(url)));
        let read = move || {
            let mut text = page::text(page.content_type.as_deref(), &page.body, page.url.as_str(), extract)?;
            if page.extent == PageExtent::Beginning {
                text.push_str("\n[the page is longer than what is fetched of one]");
            }
            Ok(text)
        };
        let text: Result<String, String> = tokio::task::spawn_blocking(read).await?;
        let kept = Kept { asked, at: now, from, label, text: text.map_err(Failed)?.into() };
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.asked != kept.asked && fresh(other));
        if all.len() >= KEPT {
            all.remove(0);
        }
        all.push(kept.clone());
        Ok(kept)
    }
}

fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "web".to_owned())
}

/// The part of a text from a character on, as far as it fits; and how to go on.
fn part(text: &str, offset: u32, max_chars: u32, budget: usize) -> Result<String, String> {
    let total = text.chars().count();
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    if offset > 0 && offset >= total {
        return Err(format!("it has only {total} characters"));
    }
    let most = usize::try_from(max_chars).unwrap_or(usize::MAX);
    let mut bytes = 0;
    let fits = |c: &char| {
        bytes += c.len_utf8();
        bytes <= budget
    };
    let mut part: String = text.chars().skip(offset).take(most).take_while(fits).collect();
    let end = offset + part.chars().count();
    if end < total {
        part.push_str(&format!("\n[characters {offset} to {end} of {total}; go on with offset {end}]"));
    }
    Ok(if part.trim().is_empty() { "(the page says nothing)".to_owned() } else { part })
}

impl Tool for WebFetch {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        async move { self.planned(call) }.boxed()
    }

    fn run<'a>(&'a self, action: Authorized<Action>, run: Run) -> BoxFuture<'a, Outcome> {
        async move {
            let Action::Fetch(fetch) = action.action() else { return Outcome::failed("this is no page to get") };
            let fetched = async {
                let Kept { text, from, label, .. } = self.fetched(fetch).await?;
                let text = part(&text, fetch.offset, fetch.max_chars, run.budget).map_err(Failed)?;
                let sent_on = if from.as_str() == fetch.url { String::new() } else { format!("[sent on to {from}]\n") };
                Ok(Outcome::done(format!("{sent_on}{text}"), label))
            };
            asked(&run, self.settings.timeout, &host(&fetch.url), fetched).await
        }
        .boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Harmless
    }
}
