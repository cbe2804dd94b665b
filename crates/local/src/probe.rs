//! Asking an endpoint what it is and what it has, without waking or loading anything.
//!
//! The order of questions answers to what each kind of server suffers. LM Studio prints a red error for every path that it does
//! not know, so where it is expected its own listing comes first and no foreign path follows. Ollama is recognised by its
//! version. All others list their models under `/v1/models`, which at the same time names them: by an owner, by a header,
//! or by the words of their errors. Only then is the kind's own set of paths used (see [`crate::servers`]).
//!
//! An endpoint has several addresses (`localhost` is `127.0.0.1` and `[::1]`). They are tried one after the other, and the
//! first that answers like a model server is the one that the report names.

use std::time::Duration;

use krabba_net::{HttpClient, Url};
use krabba_types::{Clock, ServerKind, SystemClock};
use tokio::time::Instant;

use crate::asker::{Answer, Asker, Depth};
use crate::report::{ProbeError, Report, ServerState};
use crate::servers::{jan, litellm, llama_cpp, lm_studio, local_ai, mlx, ollama, openai_style, sglang, vllm};
use crate::{Endpoint, ServerModel, endpoint};

const MODELS: &str = "/v1/models";
/// More models than any server of a person has; OpenRouter lists some four hundred.
const MOST_MODELS: usize = 2_000;
/// Bytes of a model id. Paths of files are the longest there are.
const LONGEST_ID: usize = 512;

/// Asks `endpoint` what it is and what it has, for `budget` at most. Loads and wakes nothing.
///
/// The addresses of `endpoint` are permitted at the client's egress guard: an endpoint is configured, or named by a person.
///
/// # Errors
/// When nothing there answers like a model server; the error lists every URL with what came of it. A server that wants a
/// key, loads, or cannot work is no error but a [`ServerState`].
pub async fn probe(http: &HttpClient, endpoint: &Endpoint, budget: Duration) -> Result<Report, ProbeError> {
    probe_again(http, endpoint, budget, Depth::Full, &[]).await
}

/// The same, with what an earlier probe found out.
pub(crate) async fn probe_again(
    http: &HttpClient,
    endpoint: &Endpoint,
    budget: Duration,
    depth: Depth,
    before: &[ServerModel],
) -> Result<Report, ProbeError> {
    let deadline = Instant::now() + budget;
    let mut tried = Vec::new();
    for root in endpoint.roots() {
        http.egress().allow(&root);
        let mut driver = Driver { expected: endpoint.expected(&root), root: root.clone(), before };
        let mut asker = Asker::new(http, endpoint, root, deadline, &mut tried).depth(depth);
        if let Some(mut report) = driver.run(&mut asker).await {
            report.models.retain(|model| is_plausible(model.id.as_str()));
            report.models.truncate(MOST_MODELS);
            report.tried = tried;
            report.at = SystemClock.now();
            return Ok(report);
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    Err(ProbeError { base_url: endpoint.base_url.clone(), tried })
}

/// Whether an id can be one. A listing is a stranger's text, and every id of it is shown and compared.
fn is_plausible(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && !id.chars().any(char::is_control)
}

/// One pass over one address.
struct Driver<'a> {
    expected: Option<ServerKind>,
    root: Url,
    before: &'a [ServerModel],
}

impl Driver<'_> {
    async fn run(&mut self, asker: &mut Asker<'_>) -> Option<Report> {
        let mut report = match self.expected {
            Some(ServerKind::LmStudio) => self.expecting_lm_studio(asker).await?,
            Some(ServerKind::Ollama) => self.expecting_ollama(asker).await?,
            Some(_) | None => self.by_listing(asker).await?,
        };
        if report.url.is_empty() {
            report.url = endpoint::join(&self.root, "/v1").to_string();
        }
        Some(report)
    }

    async fn expecting_lm_studio(&self, asker: &mut Asker<'_>) -> Option<Report> {
        let first = asker.get(lm_studio::FIRST).await?;
        if lm_studio::recognise(&first) {
            return Some(lm_studio::list(asker, first).await);
        }
        match self.by_listing(asker).await {
            Some(report) => Some(report),
            None => self.locked(asker, &first),
        }
    }

    async fn expecting_ollama(&self, asker: &mut Asker<'_>) -> Option<Report> {
        let first = asker.get(ollama::FIRST).await?;
        if ollama::recognise_version(&first) {
            return Some(ollama::list(asker, first, self.before).await);
        }
        self.by_listing(asker).await
    }

    /// The general way: the listing that all have, then what it gives away.
    async fn by_listing(&self, asker: &mut Asker<'_>) -> Option<Report> {
        let first = asker.get(MODELS).await?;
        if let Some(report) = self.by_signs(asker, &first).await {
            return Some(report);
        }
        if let Some(report) = self.locked(asker, &first) {
            return Some(report);
        }
        if openai_style::recognise(&first) {
            return Some(self.unsigned(asker, first).await);
        }
        if self.expected == Some(ServerKind::LiteLlm) || litellm::may_be(&first) {
            let readiness = asker.get("/health/readiness").await.unwrap_or_default();
            if litellm::recognise_readiness(&readiness) {
                return Some(litellm::list(asker, first).await);
            }
        }
        self.below_own_path(asker).await
    }

    async fn by_signs(&self, asker: &mut Asker<'_>, first: &Answer) -> Option<Report> {
        let first = first.clone();
        if litellm::recognise(&first) {
            Some(litellm::list(asker, first).await)
        } else if first.is_locked() && !jan::recognise(&first) {
            None
        } else if llama_cpp::recognise(&first) {
            Some(llama_cpp::list(asker, first).await)
        } else if vllm::recognise(&first) {
            Some(vllm::list(asker, first).await)
        } else if sglang::recognise(&first) {
            Some(sglang::list(asker, first).await)
        } else if lm_studio::recognise(&first) {
            Some(lm_studio::list(asker, first).await)
        } else if ollama::recognise(&first) {
            Some(ollama::list(asker, first, self.before).await)
        } else if mlx::recognise(&first) {
            Some(mlx::list(asker, first).await)
        } else if jan::recognise(&first) {
            Some(jan::list(asker, first).await)
        } else {
            None
        }
    }

    /// A listing without any sign of who wrote it: what is expected there, if that kind gives no signs.
    async fn unsigned(&self, asker: &mut Asker<'_>, first: Answer) -> Report {
        if self.expected == Some(ServerKind::LocalAi) || local_ai::may_be(&first) {
            let system = asker.get("/system").await.unwrap_or_default();
            if local_ai::recognise(&system) || self.expected == Some(ServerKind::LocalAi) {
                return local_ai::list(asker, first, &system).await;
            }
        }
        // LiteLLM calls every model OpenAI's. OpenAI itself is not asked: it is known by its address.
        let as_openai = openai_style::owner(&first) == Some("openai") && self.expected != Some(ServerKind::OpenAi);
        if as_openai || self.expected == Some(ServerKind::LiteLlm) {
            let readiness = asker.get("/health/readiness").await.unwrap_or_default();
            if litellm::recognise_readiness(&readiness) {
                return litellm::list(asker, first).await;
            }
        }
        match self.expected {
            Some(ServerKind::Jan) => jan::list(asker, first).await,
            Some(kind @ (ServerKind::Mlx | ServerKind::OpenAi | ServerKind::Anthropic | ServerKind::OpenRouter)) => {
                let mut report = openai_style::list(asker, first, kind).await;
                report.hosted = kind != ServerKind::Mlx;
                report
            }
            // A kind that always gives signs and gave none is not there, whatever the port suggests.
            Some(
                ServerKind::LmStudio
                | ServerKind::LlamaCpp
                | ServerKind::Ollama
                | ServerKind::Vllm
                | ServerKind::Sglang
                | ServerKind::LiteLlm
                | ServerKind::LocalAi
                | ServerKind::Other,
            )
            | None => openai_style::list(asker, first, ServerKind::Other).await,
        }
    }

    /// A server that wants a key, named as well as its headers and port allow. Refusals that are not JSON come from
    /// something else (macOS's AirPlay answers 403 on port 5000), unless a person said that a model server is there.
    fn locked(&self, asker: &Asker<'_>, answer: &Answer) -> Option<Report> {
        let in_words = answer.status == 401 && !answer.text.is_empty() && !answer.text.trim_start().starts_with('<');
        let named = asker.has_key() || self.root.path() != "/";
        if !answer.is_locked() || !(answer.json.is_some() || in_words || named) {
            return None;
        }
        let kind = if llama_cpp::recognise(answer) {
            ServerKind::LlamaCpp
        } else if answer.complaint().contains("LM Studio") {
            ServerKind::LmStudio
        } else {
            self.expected.unwrap_or(ServerKind::Other)
        };
        let mut report = Report::new(kind);
        report.hosted = matches!(kind, ServerKind::LiteLlm | ServerKind::OpenAi | ServerKind::Anthropic | ServerKind::OpenRouter);
        report.state = if asker.has_key() { ServerState::KeyRefused } else { ServerState::NeedsKey };
        Some(report)
    }

    /// Servers below a path of their own (`https://host/api/paas/v4`) list their models right there.
    async fn below_own_path(&self, asker: &mut Asker<'_>) -> Option<Report> {
        if self.root.path() == "/" {
            return None;
        }
        let first = asker.get("/models").await?;
        let mut report = if openai_style::recognise(&first) { self.unsigned(asker, first).await } else { self.locked(asker, &first)? };
        report.url = self.root.to_string();
        Some(report)
    }
}
