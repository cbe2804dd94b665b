//! `web_search`: asks the search engine that the owner configured, one that speaks as SearXNG does.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_net::{HttpClient, HttpRequest, Url};
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Label, Search, ToolSpec};
use serde::Deserialize;
use serde_json::json;

use crate::arguments;
use crate::files::Failed;
use crate::text::{clipped, fit};
use crate::web::asked;

/// The longest answer that is read, in bytes.
const LONGEST: usize = 2 << 20;

/// As many results as are told when nothing is said, and at most.
const USUAL: u32 = 5;
const MOST: u32 = 10;

/// The longest text that is told of one result, in bytes.
const SNIPPET: usize = 400;

/// Whose the results are.
const ORIGIN: &str = "web search";

/// Who is asked.
#[derive(Clone, Debug)]
pub struct SearchSettings {
    /// Permitted to go there.
    pub http: HttpClient,
    /// The engine's own address; `search` is below it.
    pub endpoint: Url,
    /// As many results as are told when nothing is said.
    pub count: Option<u32>,
    /// How long it may take.
    pub timeout: Duration,
}

pub(crate) struct WebSearch {
    spec: ToolSpec,
    settings: SearchSettings,
}

#[derive(Deserialize)]
struct Arguments {
    query: String,
    count: Option<u32>,
}

/// SearXNG: `GET /search?q=…&format=json`.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    results: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    url: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    content: Option<String>,
}

impl WebSearch {
    pub(crate) fn new(settings: SearchSettings) -> Self {
        let properties = json!({"query": {"type": "string"}, "count": {"type": "integer"}});
        Self { spec: arguments::spec("web_search", "Search the web. web_fetch gets what is found.", properties, &["query"]), settings }
    }

    fn planned(&self, call: Call<'_>) -> Result<Action, Refusal> {
        let Arguments { query, count } = arguments::read(call)?;
        let query = query.trim().to_owned();
        if query.is_empty() {
            return Err(Refusal("query is empty".to_owned()));
        }
        let count = count.or(self.settings.count).unwrap_or(USUAL).clamp(1, MOST);
        Ok(Action::Search(Search { endpoint: self.settings.endpoint.to_string(), query, count }))
    }

    async fn found(&self, search: &Search) -> Result<Vec<Found>, Failed> {
        let mut url = self.settings.endpoint.clone();
        let path = format!("{}/search", url.path().trim_end_matches('/').trim_end_matches("/search"));
        url.set_path(&path);
        url.query_pairs_mut().clear().append_pair("q", &search.query).append_pair("format", "json");
        let response = self.settings.http.send(HttpRequest::get(url)).await?;
        match response.status {
            200..300 => {}
            403 => {
                return Err(Failed(
                    "the search engine gives no JSON; its owner can add json to search.formats in its settings.yml".to_owned(),
                ));
            }
            status => return Err(Failed(format!("the search engine answered {status}"))),
        }
        let body = response.bytes(LONGEST).await?;
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| Failed("the search engine's answer is not what SearXNG answers".to_owned()))?;
        Ok(answer.results)
    }
}

/// The results as a list. Addresses stand there as `web_fetch` writes them, so that one that is chosen from it is known again.
fn listed(found: &[Found], count: u32, budget: usize) -> String {
    let line =
        |text: &Option<String>| clipped(&text.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "), SNIPPET);
    let addressed = found.iter().filter_map(|found| {
        let mut url = Url::parse(found.url.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        url.set_fragment(None);
        Some((found, url))
    });
    let results = addressed.zip(1..).take(usize::try_from(count).unwrap_or(usize::MAX));
    let results: Vec<String> =
        results.map(|((found, url), number)| format!("{number}. {}\n{url}\n{}", line(&found.title), line(&found.content))).collect();
    if results.is_empty() { "nothing was found".to_owned() } else { fit(&results.join("\n\n"), budget, "; ask for fewer") }
}

impl Tool for WebSearch {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        async move { self.planned(call) }.boxed()
    }

    fn run<'a>(&'a self, action: Authorized<Action>, run: Run) -> BoxFuture<'a, Outcome> {
        async move {
            let Action::Search(search) = action.action() else { return Outcome::failed("this is no question for a search engine") };
            let found = async { Ok(Outcome::done(listed(&self.found(search).await?, search.count, run.budget), Label::untrusted(ORIGIN))) };
            asked(&run, self.settings.timeout, ORIGIN, found).await
        }
        .boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Harmless
    }
}
