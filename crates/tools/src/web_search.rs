//! `web_search`: asks the search engine that the owner configured, one that speaks as SearXNG does.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_net::{HttpClient, HttpRequest, Url};
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Label, Search, TimeRange, ToolSpec};
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

/// What SearXNG refuses as it comes.
const NO_JSON: &str = "the search engine gives no JSON; its owner can add json to search.formats in its settings.yml";

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

impl SearchSettings {
    /// What is wrong with the search engine, as far as it tells without being asked for anything.
    ///
    /// # Errors
    /// What is wrong, for its owner.
    pub async fn look(&self) -> Result<(), String> {
        let mut url = self.address();
        url.query_pairs_mut().clear().append_pair("format", "json");
        let looked = tokio::time::timeout(self.timeout, self.http.send(HttpRequest::get(url))).await;
        let response = looked.map_err(|_| format!("no answer within {} s", self.timeout.as_secs()))?.map_err(|error| error.to_string())?;
        match response.status {
            // It misses the question.
            200..300 | 400 | 422 => Ok(()),
            403 => Err(NO_JSON.to_owned()),
            status => Err(format!("the search engine answered {status}")),
        }
    }

    fn address(&self) -> Url {
        let mut url = self.endpoint.clone();
        let path = format!("{}/search", url.path().trim_end_matches('/').trim_end_matches("/search"));
        url.set_path(&path);
        url
    }
}

pub(crate) struct WebSearch {
    spec: ToolSpec,
    settings: SearchSettings,
}

#[derive(Deserialize)]
struct Arguments {
    query: String,
    count: Option<u32>,
    // What models know of other agents' searches. The description does without it: each word there is paid for in every first request.
    freshness: Option<String>,
    language: Option<String>,
    search_lang: Option<String>,
    country: Option<String>,
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
        let Arguments { query, count, freshness, language, search_lang, country } = arguments::read(call)?;
        let query = query.trim().to_owned();
        if query.is_empty() {
            return Err(Refusal::new("query is empty"));
        }
        let count = count.or(self.settings.count).unwrap_or(USUAL).clamp(1, MOST);
        let language = locale(given(language).or_else(|| given(search_lang)), given(country))?;
        let time_range = given(freshness).map(|freshness| time_range(&freshness)).transpose()?;
        Ok(Action::Search(Search { endpoint: self.settings.endpoint.to_string(), query, count, language, time_range }))
    }

    async fn found(&self, search: &Search) -> Result<Vec<Found>, Failed> {
        let mut url = self.settings.address();
        let language = search.language.iter().map(|language| ("language", language.as_str()));
        let time_range = search.time_range.iter().map(|range| ("time_range", range.as_str()));
        let asked = [("q", search.query.as_str()), ("format", "json")];
        url.query_pairs_mut().clear().extend_pairs(asked.into_iter().chain(language).chain(time_range));
        let response = self.settings.http.send(HttpRequest::get(url)).await?;
        match response.status {
            200..300 => {}
            403 => return Err(Failed(NO_JSON.to_owned())),
            status => return Err(Failed(format!("the search engine answered {status}"))),
        }
        let body = response.bytes(LONGEST).await?;
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| Failed("the search engine's answer is not what SearXNG answers".to_owned()))?;
        Ok(answer.results)
    }
}

/// What was said for something; nothing, and everything, is nothing in particular.
fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty() && text != "all")
}

/// SearXNG knows a country only beside a language.
fn locale(language: Option<String>, country: Option<String>) -> Result<Option<String>, Refusal> {
    let Some(language) = language else {
        let lost = "country goes with language (language de, country AT); leave it out, or name the country in query";
        return if country.is_none() { Ok(None) } else { Err(Refusal::new(lost.to_owned())) };
    };
    let (short, country) = match language.split_once(['-', '_']) {
        Some((short, country)) => (short, Some(country.to_owned())),
        None => (language.as_str(), country),
    };
    let is_name = |text: &str, most: usize| (2..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_lowercase());
    if !is_name(short, 3) || country.as_ref().is_some_and(|country| !is_name(country, 2)) {
        return Err(Refusal::new("that is no language or country; write language as de or de-AT".to_owned()));
    }
    Ok(Some(country.map_or_else(|| short.to_owned(), |country| format!("{short}-{}", country.to_uppercase()))))
}

/// As Brave's interface has it, or in a word.
fn time_range(freshness: &str) -> Result<TimeRange, Refusal> {
    match freshness {
        "pd" | "day" => Ok(TimeRange::Day),
        "pw" | "week" => Ok(TimeRange::Week),
        "pm" | "month" => Ok(TimeRange::Month),
        "py" | "year" => Ok(TimeRange::Year),
        _ => Err(Refusal::new("freshness is day, week, month or year".to_owned())),
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
