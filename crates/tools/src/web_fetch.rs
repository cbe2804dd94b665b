//! `web_fetch`: a page of the web, as it is read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_net::{PageExtent, Pages, Url};
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Fetch, Label, ToolSpec};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::files::Failed;
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
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self { pages: Pages::default(), max_bytes: 2 << 20, max_chars: 50_000, timeout: Duration::from_secs(30) }
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
    asked: String,
    at: Instant,
    /// Where it came from in the end.
    from: Url,
    text: Arc<str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    url: String,
    max_chars: Option<u32>,
    #[serde(default)]
    offset: u32,
}

impl WebFetch {
    pub(crate) fn new(settings: FetchSettings) -> Self {
        let number = json!({"type": "integer"});
        let spec = arguments::spec(
            "web_fetch",
            "Get a web page as Markdown. offset (characters) goes on with a long one.",
            json!({"url": {"type": "string"}, "maxChars": number, "offset": number}),
            &["url"],
        );
        Self { spec, settings, kept: Mutex::default() }
    }

    fn planned(&self, call: Call<'_>) -> Result<Action, Refusal> {
        let Arguments { url, max_chars, offset } = arguments::read(call)?;
        let mut url = Url::parse(url.trim()).map_err(|error| Refusal(format!("this is no address: {error}")))?;
        url.set_fragment(None);
        self.settings.pages.check(&url).map_err(|error| Refusal(error.to_string()))?;
        let max_chars = max_chars.map_or(self.settings.max_chars, |most| most.clamp(1, self.settings.max_chars));
        Ok(Action::Fetch(Fetch { url: url.to_string(), max_chars, offset }))
    }

    async fn fetched(&self, fetch: &Fetch) -> Result<Kept, Failed> {
        let now = Instant::now();
        let fresh = |kept: &Kept| now.saturating_duration_since(kept.at) < KEPT_FOR;
        let known =
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|kept| kept.asked == fetch.url && fresh(kept)).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let url = Url::parse(&fetch.url)?;
        let page = self.settings.pages.get(&url, self.settings.max_bytes).await?;
        if !(200..300).contains(&page.status) {
            return Err(Failed(format!("{} answered {}", page.url.host_str().unwrap_or_default(), page.status)));
        }
        let from = page.url.clone();
        let read = move || {
            let mut text = page::text(page.content_type.as_deref(), &page.body, page.url.as_str())?;
            if page.extent == PageExtent::Beginning {
                text.push_str("\n[the page is longer than what is fetched of one]");
            }
            Ok(text)
        };
        let text: Result<String, String> = tokio::task::spawn_blocking(read).await?;
        let kept = Kept { asked: fetch.url.clone(), at: now, from, text: text.map_err(Failed)?.into() };
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.asked != kept.asked && fresh(other));
        if all.len() >= KEPT {
            all.remove(0);
        }
        all.push(kept.clone());
        Ok(kept)
    }
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
            let fetched = tokio::select! {
                () = run.cancel.cancelled() => return Outcome::failed("stopped"),
                fetched = tokio::time::timeout(self.settings.timeout, self.fetched(fetch)) => fetched,
            };
            let told = match fetched {
                Err(_) => Err(format!("it took longer than {} s", self.settings.timeout.as_secs())),
                Ok(Err(Failed(why))) => Err(why),
                Ok(Ok(kept)) => part(&kept.text, fetch.offset, fetch.max_chars, run.budget).map(|text| (text, kept.from)),
            };
            match told {
                Err(why) => Outcome::failed(why),
                Ok((text, from)) => {
                    let sent_on = if from.as_str() == fetch.url { String::new() } else { format!("[sent on to {from}]\n") };
                    Outcome::done(format!("{sent_on}{text}"), Label::untrusted(from.host_str().unwrap_or_default()))
                }
            }
        }
        .boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Harmless
    }
}
