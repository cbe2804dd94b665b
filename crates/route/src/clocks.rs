//! Every limit on waiting for a model, in one place.
//!
//! There are five clocks, because "slow" means five different things: a machine that is off (connect), a proxy that took
//! the request and says nothing (headers), a model that is being loaded or reads a long prompt (load, first token), one
//! that broke off in the middle (gap), and one that never comes to an end (whole answer). [`ClockTable`] lists them all
//! with their values and sources; a wait that is not in the table does not exist.

use std::fmt;
use std::time::Duration;

use krabba_llm::LINGER;
use krabba_local::ServiceSettings;
use krabba_types::{Residency, seconds};
use serde::Serialize;

use crate::servers::{LOOK_BUDGET, WHOLE_ROUND};

/// How often an idle endpoint is asked for its state, and the longest that a local one is left alone after failures.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(20);

/// The longest wait for a load on a route whose last one did not end, when another model can answer.
const LOAD_AGAIN: Duration = Duration::from_secs(5);

/// Waiting times of one provider, as configured. What is `None` takes its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClockSettings {
    /// Until there is a connection.
    pub connect: Option<Duration>,
    /// Until response headers; by default part of the first-token clock, because llama.cpp sends headers with the first
    /// token.
    pub headers: Option<Duration>,
    /// Until the first token, loading not counted.
    pub first_token: Option<Duration>,
    /// Between tokens.
    pub gap: Option<Duration>,
    /// The whole answer.
    pub whole: Option<Duration>,
    /// OpenClaw's `agents.defaults.timeoutSeconds`: the whole answer, where `whole` is not set.
    pub turn: Option<Duration>,
    /// Loading without visible progress.
    pub load: Option<Duration>,
    /// OpenClaw's `timeoutSeconds` of a provider: the longest silence at any point. Applies to `first_token` and `gap` where they are not set.
    pub timeout: Option<Duration>,
    /// Where these are configured, for people.
    pub origin: Option<String>,
}

/// The clocks of a route, every value decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Until there is a connection.
    pub connect: Duration,
    /// Until response headers, where that is a limit of its own.
    pub headers: Option<Duration>,
    /// Until the first token.
    pub first_token: Duration,
    /// Between tokens.
    pub gap: Duration,
    /// The whole answer.
    pub whole: Option<Duration>,
    /// Loading without visible progress.
    pub load: Duration,
    /// The longest that mere signs of life put off the first-token clock.
    pub patience: Duration,
    /// The longest that mere signs of life put off the gap clock.
    pub gap_patience: Duration,
}

impl Clocks {
    /// The clocks of an endpoint at `place`.
    pub fn of(settings: &ClockSettings, place: &Residency) -> Self {
        let home = !place.leaves_home();
        let connect = match place {
            Residency::Device => Duration::from_secs(2),
            Residency::Lan => Duration::from_secs(5),
            Residency::Region(_) | Residency::Hosted => Duration::from_secs(10),
        };
        let default_first = Duration::from_secs(if home { 300 } else { 60 });
        let default_gap = Duration::from_secs(if home { 60 } else { 30 });
        let gap = settings.gap.or(settings.timeout).unwrap_or(default_gap);
        let first_token = settings.first_token.or(settings.timeout).unwrap_or(default_first);
        Self {
            connect: settings.connect.unwrap_or(connect),
            headers: settings.headers,
            first_token,
            gap,
            whole: settings.whole.or(settings.turn),
            load: settings.load.unwrap_or(Duration::from_secs(if home { 300 } else { 60 })),
            // A local prompt of 100,000 tokens may be read for half an hour behind nothing but keep-alive comments.
            patience: first_token.max(Duration::from_secs(if home { 1800 } else { 300 })),
            gap_patience: gap.saturating_mul(2),
        }
    }
}

/// What is left of the `load` limit on a route whose last load did not end within it, when another model can answer.
pub(crate) fn load_again(load: Duration) -> Duration {
    LOAD_AGAIN.min(load / 10)
}

/// The clocks of a route for a person: name, limit, source and what starts it anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockTable {
    /// `provider/id`.
    pub reference: String,
    /// In the order in which they run.
    pub rows: Vec<ClockRow>,
    /// Which of them fires first when the server takes the request and then says nothing.
    pub first_to_fire: &'static str,
}

/// A limit on waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockRow {
    /// The clock.
    pub name: &'static str,
    /// Its limit in milliseconds; `None` for no limit.
    pub limit_ms: Option<u64>,
    /// Who set it.
    pub source: String,
    /// What starts it anew, or stops it.
    pub reset_by: &'static str,
}

impl ClockTable {
    /// The table of a route.
    pub fn of(reference: &krabba_types::ModelRef, settings: &ClockSettings, place: &Residency) -> Self {
        let clocks = Clocks::of(settings, place);
        let default = |what: &str| format!("default for {what}");
        let kind = match place {
            Residency::Device => "this machine",
            Residency::Lan => "the home network",
            Residency::Region(_) | Residency::Hosted => "hosted models",
        };
        let origin = settings.origin.as_deref().unwrap_or("configured");
        let source = |own: Option<Duration>, key: &str| match own {
            Some(_) => format!("clocks.{key} ({origin})"),
            None => default(kind),
        };
        let silence = |own: Option<Duration>, key: &str| match (own, settings.timeout) {
            (None, Some(_)) => format!("timeoutSeconds ({origin})"),
            (Some(_), _) | (None, None) => source(own, key),
        };
        let row = |name, limit: Option<Duration>, source, reset_by| ClockRow { name, limit_ms: limit.map(millis), source, reset_by };
        let rows = vec![
            row("queue", None, "never limited".to_owned(), "waiting for a slot runs no other clock"),
            row("connect", Some(clocks.connect), source(settings.connect, "connect"), "stops when the connection stands"),
            row(
                "headers",
                clocks.headers,
                if clocks.headers.is_some() { source(settings.headers, "headers") } else { "part of first token".to_owned() },
                "stops when response headers are here; loading starts it anew",
            ),
            row("load", Some(clocks.load), source(settings.load, "load"), "a higher percentage starts it anew; not counted as first token"),
            row(
                "load, after one that did not end",
                Some(load_again(clocks.load)),
                "fixed: a tenth of load, 5 s at most".to_owned(),
                "for a minute or more, with another model behind it; a load that ends gives the whole time back",
            ),
            row(
                "first token",
                Some(clocks.first_token),
                silence(settings.first_token, "firstToken"),
                "starts after loading; prompt-reading progress starts it anew; stops at the first output, reasoning included",
            ),
            row(
                "first token, signs of life only",
                Some(clocks.patience),
                "fixed: at least the first-token limit".to_owned(),
                "comments and pings put off the first-token clock no longer than this; real progress starts it anew",
            ),
            row("gap", Some(clocks.gap), silence(settings.gap, "gap"), "every piece of output starts it anew"),
            row(
                "gap, signs of life only",
                Some(clocks.gap_patience),
                "fixed: twice the gap".to_owned(),
                "comments and pings put off the gap clock no longer than this",
            ),
            row(
                "after the finish reason",
                Some(LINGER),
                "fixed".to_owned(),
                "the end of the stream stops it; usage figures may still come, and a server that keeps the connection open is not waited for",
            ),
            row(
                "whole answer",
                clocks.whole,
                match (settings.whole, settings.turn) {
                    (Some(_), _) => source(settings.whole, "turn"),
                    (None, Some(_)) => "agents.defaults.timeoutSeconds".to_owned(),
                    (None, None) => "none unless configured".to_owned(),
                },
                "nothing",
            ),
            row(
                "held after failures",
                Some(if place.leaves_home() { crate::breaker::LONGEST_HOLD } else { PROBE_INTERVAL }),
                "fixed".to_owned(),
                "a successful probe or answer ends it",
            ),
        ];
        let first_to_fire = match clocks.headers {
            Some(headers) if headers < clocks.first_token => "headers",
            Some(_) | None if clocks.whole.is_some_and(|whole| whole < clocks.first_token) => "whole answer",
            Some(_) | None => "first token",
        };
        Self { reference: reference.to_string(), rows, first_to_fire }
    }

    /// With the look at the server before it is asked.
    #[must_use]
    pub(crate) fn with_look(mut self) -> Self {
        self.rows.insert(
            0,
            ClockRow {
                name: "look before asking",
                limit_ms: Some(millis(LOOK_BUDGET)),
                source: format!("fixed; {} where the conversation may not leave home", seconds(WHOLE_ROUND)),
                reset_by: "an answer stops it; when it runs out the model is asked all the same",
            },
        );
        self
    }

    /// With the start of the server's own command.
    #[must_use]
    pub(crate) fn with_service(mut self, service: &ServiceSettings) -> Self {
        self.rows.insert(
            0,
            ClockRow {
                name: "start of its command",
                limit_ms: Some(millis(service.ready_timeout)),
                source: "localService.readyTimeoutMs".to_owned(),
                reset_by: "an answer of its health URL stops it",
            },
        );
        self
    }
}

impl fmt::Display for ClockTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.reference)?;
        for row in &self.rows {
            let limit = row.limit_ms.map_or_else(|| "none".to_owned(), |limit| seconds(Duration::from_millis(limit)));
            writeln!(formatter, "  {:<32} {:>8}  {} ({})", row.name, limit, row.source, row.reset_by)?;
        }
        write!(formatter, "  if the server stays silent, \"{}\" fires first", self.first_to_fire)
    }
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
