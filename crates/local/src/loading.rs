//! How each kind of server loads a model.
//!
//! | server | how |
//! |---|---|
//! | LM Studio | `POST /api/v1/models/load`, at the person's word only; else by request |
//! | Ollama | `POST /api/chat` without messages, with the window to keep using (another `num_ctx` loads it anew) |
//! | llama.cpp, router | `POST /models/load`, then `/models` until it says `loaded` |
//! | llama.cpp, one model | it loads at its start; `/health` until that is over |
//! | all others | by request, or not at all |
//!
//! LM Studio's load takes a model out of the care of its just-in-time loading: no `ttl`, no eviction. Hence the person's word. No server
//! tells how far a load is on these paths, so there is no percentage; of a load by request, llama.cpp's router does ([`crate::load_percent`]).
//!
//! Whatever was asked for, what the server reports afterwards counts: LM Studio's MLX engine loads smaller windows than asked for
//! and calls that a success.

use std::time::Duration;

use krabba_net::{Bytes, HttpClient, HttpRequest};
use krabba_types::{ModelId, Progress, ServerKind, grouped};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::asker::{Answer, Depth, fetch};
use crate::endpoint::join;
use crate::load_order::{LoadError, LoadOrder, Loaded, Wanted};
use crate::loader::Stage;
use crate::probe::probe_again;
use crate::report::{ServerState, TriedOutcome};
use crate::servers::llama_cpp::{self, RouterLoad};
use crate::{Endpoint, Report, ServerModel, wire};

/// Between two looks at a load that has to be watched.
const POLL: Duration = Duration::from_millis(500);
/// For questions that do not wait for a load.
const PATIENCE: Duration = Duration::from_secs(10);

/// One load.
pub(crate) struct Loading<'a> {
    pub(crate) http: &'a HttpClient,
    pub(crate) order: &'a LoadOrder,
    /// What an earlier load of ours brought into memory, and this one replaces.
    pub(crate) replaces: &'a [ModelId],
    pub(crate) publish: &'a watch::Sender<Stage>,
}

impl Loading<'_> {
    pub(crate) async fn run(&self) -> Result<Loaded, LoadError> {
        let deadline = Instant::now() + self.order.budget;
        match self.order.report.kind {
            ServerKind::LmStudio => self.lm_studio(deadline).await,
            ServerKind::Ollama => self.ollama(deadline).await,
            ServerKind::LlamaCpp => self.llama_cpp(deadline).await,
            ServerKind::Vllm
            | ServerKind::Sglang
            | ServerKind::LiteLlm
            | ServerKind::Mlx
            | ServerKind::LocalAi
            | ServerKind::Jan
            | ServerKind::OpenAi
            | ServerKind::Anthropic
            | ServerKind::OpenRouter
            | ServerKind::Other => Ok(self.already().unwrap_or(Loaded::ByRequest)),
        }
    }

    async fn lm_studio(&self, deadline: Instant) -> Result<Loaded, LoadError> {
        let Wanted::Window(wanted) = self.order.wanted else { return Ok(self.already().unwrap_or(Loaded::ByRequest)) };
        if let Some(already) = self.already() {
            return Ok(already);
        }
        for ours in self.replaces {
            // Best effort: where it fails, the new instance stands beside the old one.
            let _ = unload(self.http, &self.order.endpoint, &self.order.report, ours).await;
        }
        let body = json!({ "model": self.order.model.as_str(), "context_length": wanted, "echo_load_config": true });
        let answer = self.post("/api/v1/models/load", &body, deadline).await?;
        let Some(reply) = answer.success() else { return Err(self.refused(&answer)) };
        let instance = ModelId::new(wire::text(reply, "/instance_id").unwrap_or(self.order.model.as_str()));
        let said = wire::count(reply, "/load_config/context_length");
        self.read_again(instance, said).await
    }

    async fn ollama(&self, deadline: Instant) -> Result<Loaded, LoadError> {
        if let Some(already) = self.already() {
            return Ok(already);
        }
        let theirs = self.entry().is_some_and(|model| model.loaded == Some(true)) && self.replaces.is_empty();
        let mut body = json!({ "model": self.order.model.as_str(), "messages": [], "stream": false });
        if let Some(object) = body.as_object_mut() {
            if let Some(keep_alive) = &self.order.keep_alive {
                object.insert("keep_alive".to_owned(), duration_value(keep_alive));
            }
            if let Wanted::Window(wanted) = self.order.wanted {
                object.insert("options".to_owned(), json!({ "num_ctx": wanted }));
            }
        }
        let answer = self.post("/api/chat", &body, deadline).await?;
        if answer.success().is_none() {
            return Err(self.refused(&answer));
        }
        let loaded = self.read_again(self.order.model.clone(), None).await?;
        // It was in memory before, so it stays somebody else's.
        Ok(match loaded {
            Loaded::Now { window, .. } if theirs => Loaded::Already { window },
            Loaded::Now { .. } | Loaded::Already { .. } | Loaded::ByRequest => loaded,
        })
    }

    async fn llama_cpp(&self, deadline: Instant) -> Result<Loaded, LoadError> {
        if let ServerState::Loading { .. } = self.order.report.state {
            return self.wait_for_start(deadline).await;
        }
        if self.entry().is_some_and(|model| model.loaded == Some(true)) {
            return Ok(Loaded::Already { window: self.entry().and_then(|model| model.window) });
        }
        if self.order.report.sleeping {
            // The next request wakes it; there is no other way to.
            return Ok(Loaded::ByRequest);
        }
        let body = json!({ "model": self.order.model.as_str() });
        if !self.entry().is_some_and(|model| model.loading) {
            let answer = self.post("/models/load", &body, deadline).await?;
            if answer.success().is_none() {
                return Err(self.refused(&answer));
            }
        }
        loop {
            let listing = self.get("/models", deadline).await?;
            match listing.success().map(|body| llama_cpp::parse_router_load(body, self.order.model.as_str())) {
                Some(RouterLoad::Loaded) => return self.read_again(self.order.model.clone(), None).await,
                Some(RouterLoad::Failed { exit_code }) => {
                    return Err(LoadError::Ended { server: self.server(), model: self.order.model.clone(), exit_code });
                }
                Some(RouterLoad::Loading | RouterLoad::Unknown) | None => self.pause(deadline).await?,
            }
        }
    }

    async fn wait_for_start(&self, deadline: Instant) -> Result<Loaded, LoadError> {
        loop {
            let health = self.get("/health", deadline).await?;
            if !llama_cpp::is_loading(&health) {
                break;
            }
            self.pause(deadline).await?;
        }
        // It loaded by itself, at its own start: it is not ours.
        Ok(match self.read_again(self.order.model.clone(), None).await? {
            Loaded::Now { window, .. } => Loaded::Already { window },
            other @ (Loaded::Already { .. } | Loaded::ByRequest) => other,
        })
    }

    /// It is in memory, and its window is enough.
    fn already(&self) -> Option<Loaded> {
        let model = self.entry().filter(|model| model.loaded == Some(true))?;
        match self.order.wanted {
            Wanted::Usual => Some(Loaded::Already { window: model.window }),
            Wanted::Window(wanted) => {
                model.window.filter(|window| *window >= wanted).map(|window| Loaded::Already { window: Some(window) })
            }
        }
    }

    /// Asks the server what it has now. `said` is what it claimed in answer to the load.
    async fn read_again(&self, model: ModelId, said: Option<u32>) -> Result<Loaded, LoadError> {
        let report = probe_again(self.http, &self.order.endpoint, PATIENCE, Depth::Full, &self.order.report.models).await;
        let report = report.map_err(|error| LoadError::Unreachable { model: model.clone(), reason: error.to_string() })?;
        let window = report.model(&model).and_then(|entry| entry.window).or(said);
        let note = match (self.order.wanted, window) {
            (Wanted::Window(wanted), Some(window)) if window < wanted => Some(format!(
                "{} loaded {model} with a window of {} tokens instead of the {} that were asked for",
                self.server(),
                grouped(window),
                grouped(wanted)
            )),
            (Wanted::Window(_) | Wanted::Usual, _) => None,
        };
        Ok(Loaded::Now { model, window, note })
    }

    async fn pause(&self, deadline: Instant) -> Result<(), LoadError> {
        self.publish.send_replace(Stage::Under(Progress::Loading { percent: None }));
        if Instant::now() + POLL >= deadline {
            return Err(self.timed_out());
        }
        sleep(POLL).await;
        Ok(())
    }

    async fn post(&self, path: &str, body: &Value, deadline: Instant) -> Result<Answer, LoadError> {
        let url = address(&self.order.endpoint, &self.order.report, path).map_err(|reason| self.unreachable(reason))?;
        self.ask(HttpRequest::post_json(url, Bytes::from(body.to_string())), deadline).await
    }

    async fn get(&self, path: &str, deadline: Instant) -> Result<Answer, LoadError> {
        let url = address(&self.order.endpoint, &self.order.report, path).map_err(|reason| self.unreachable(reason))?;
        self.ask(HttpRequest::get(url), deadline).await
    }

    async fn ask(&self, request: HttpRequest, deadline: Instant) -> Result<Answer, LoadError> {
        let shown = request.url.to_string();
        fetch(self.http, &self.order.endpoint, request, deadline).await.map_err(|outcome| match outcome {
            TriedOutcome::TimedOut => self.timed_out(),
            TriedOutcome::Answered
            | TriedOutcome::Status(_)
            | TriedOutcome::NotThis
            | TriedOutcome::NothingThere
            | TriedOutcome::Failed(_) => self.unreachable(format!("{shown}: {outcome}")),
        })
    }

    fn entry(&self) -> Option<&ServerModel> {
        self.order.report.model(&self.order.model)
    }

    fn server(&self) -> &'static str {
        self.order.report.kind.name()
    }

    fn timed_out(&self) -> LoadError {
        LoadError::TimedOut { model: self.order.model.clone(), budget: self.order.budget }
    }

    fn unreachable(&self, reason: String) -> LoadError {
        LoadError::Unreachable { model: self.order.model.clone(), reason }
    }

    fn refused(&self, answer: &Answer) -> LoadError {
        let words = words_of(answer);
        LoadError::Refused { server: self.server(), model: self.order.model.clone(), words }
    }
}

/// Unloads a model in its server's own way.
pub(crate) async fn unload(http: &HttpClient, endpoint: &Endpoint, report: &Report, model: &ModelId) -> Result<(), String> {
    let (path, body) = match report.kind {
        ServerKind::LmStudio => ("/api/v1/models/unload", json!({ "instance_id": model.as_str() })),
        ServerKind::Ollama => ("/api/chat", json!({ "model": model.as_str(), "messages": [], "stream": false, "keep_alive": 0 })),
        ServerKind::LlamaCpp => ("/models/unload", json!({ "model": model.as_str() })),
        ServerKind::Vllm
        | ServerKind::Sglang
        | ServerKind::LiteLlm
        | ServerKind::Mlx
        | ServerKind::LocalAi
        | ServerKind::Jan
        | ServerKind::OpenAi
        | ServerKind::Anthropic
        | ServerKind::OpenRouter
        | ServerKind::Other => return Err(format!("{} has no way to unload a model", report.kind.name())),
    };
    let url = address(endpoint, report, path)?;
    let request = HttpRequest::post_json(url.clone(), Bytes::from(body.to_string()));
    let answer = fetch(http, endpoint, request, Instant::now() + PATIENCE).await.map_err(|outcome| format!("{url}: {outcome}"))?;
    if answer.success().is_some() { Ok(()) } else { Err(words_of(&answer)) }
}

/// `path` at the address that worked.
pub(crate) fn address(endpoint: &Endpoint, report: &Report, path: &str) -> Result<krabba_net::Url, String> {
    let worked = Endpoint::new(report.url.clone()).roots().into_iter().next();
    let root = worked.or_else(|| endpoint.roots().into_iter().next());
    root.map(|root| join(&root, path)).ok_or_else(|| format!("\"{}\" is not an address", endpoint.base_url))
}

fn words_of(answer: &Answer) -> String {
    let complaint = answer.complaint();
    if complaint.is_empty() { format!("status {}", answer.status) } else { complaint.chars().take(300).collect() }
}

/// Ollama takes `"10m"` as text, but `-1` and `0` as numbers only.
fn duration_value(text: &str) -> Value {
    text.trim().parse::<i64>().map_or_else(|_| Value::from(text.trim()), Value::from)
}
