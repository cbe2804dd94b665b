//! What an agent acts with: its tools, the monitor that decides about each action, and how far one turn may go.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use krabba_guard::{Monitor, Policy};
use krabba_redact::Redactor;
use krabba_store::Store;
use krabba_tool::{Catalogue, SecretScanner, Selection};
use krabba_types::{Clock, ModelRef, SessionId, ToolSpec, grouped, seconds};

/// How long tools have to end what earlier calls left running. With what a tool at work is given to end itself it stays under a
/// second, which is what a person who stops is ready to wait.
const ENDING: Duration = Duration::from_millis(400);

/// What an agent acts with.
#[derive(Clone, Debug)]
pub struct Hands {
    /// Decides.
    pub monitor: Arc<Monitor>,
    /// What no model reads and nobody is shown.
    pub redactor: Redactor,
    /// Who finds more of that where the tools work.
    pub scanner: Option<Arc<dyn SecretScanner>>,
    /// All tools.
    pub tools: Arc<Catalogue>,
    /// The names of those that a model is told about, the most important first. The others are found by searching.
    pub listed: Vec<String>,
    /// Which of all of these the owner left on.
    pub selection: Selection,
    /// How far one turn may go.
    pub limits: Limits,
    /// What a message does that arrives while a turn works.
    pub arriving: Arriving,
}

/// How far one turn may go. At a limit the model is asked to answer with what it has. The limit of time ends what goes on at that
/// moment, be it a tool or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Answers of a model that call tools.
    pub steps: u32,
    /// Tokens that models write, looked at after each step; about so many where a server does not count them.
    pub output_tokens: Option<u64>,
    /// The whole turn, in seconds; while the owner is asked something, the clock stands.
    pub seconds: Option<u64>,
    /// The longest text that a tool gives back, in bytes.
    pub result_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 50, output_tokens: None, seconds: None, result_bytes: 16 * 1024 }
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} steps", grouped(self.steps))?;
        match self.output_tokens {
            Some(tokens) => write!(formatter, ", {} tokens written", grouped(tokens))?,
            None => formatter.write_str(", any number of tokens")?,
        }
        match self.seconds {
            Some(limit) => write!(formatter, ", {}", seconds(Duration::from_secs(limit))),
            None => formatter.write_str(", any time"),
        }
    }
}

/// What a message does that arrives while a turn works. The names are those of `messages.queue.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Arriving {
    /// The turn ends between two steps, and the message is answered with everything that was found out until then.
    #[default]
    Steer,
    /// It waits for the end of the turn.
    FollowUp,
    /// It waits, and is answered together with all that waited.
    Collect,
    /// It stops the turn.
    Interrupt,
}

impl Hands {
    /// No tools at all.
    pub fn none(store: &Arc<Store>, clock: &Arc<dyn Clock>) -> Self {
        Self {
            monitor: Arc::new(Monitor::new(Arc::clone(store), Policy::default(), Arc::clone(clock))),
            redactor: Redactor::default(),
            scanner: None,
            tools: Arc::default(),
            listed: Vec::new(),
            selection: Selection::default(),
            limits: Limits::default(),
            arriving: Arriving::default(),
        }
    }

    /// Learns what is secret now where the tools work.
    pub(crate) async fn scan(&self) {
        if let Some(scanner) = &self.scanner {
            scanner.scan().await;
        }
    }

    /// The tools that are off for models of this route, each with where that was written.
    pub(crate) fn off(&self, route: &ModelRef) -> Vec<(String, String)> {
        let names = self.tools.specs().into_iter().map(|spec| spec.name);
        names.filter_map(|name| Some((name.clone(), self.selection.off_for(&name, route)?.to_owned()))).collect()
    }

    /// Ends everything that earlier turns of a conversation left running, waits for that, but not for ever, and says how much it was.
    pub(crate) async fn stop(&self, session: &SessionId) -> usize {
        let tools = self.tools.all();
        let mut all: FuturesUnordered<_> = tools.iter().map(|tool| tool.stop(session)).collect();
        let mut ended = 0;
        let count = async {
            while let Some(more) = all.next().await {
                ended += more;
            }
        };
        // All were told; whoever takes longer ends without being waited for.
        let _late = tokio::time::timeout(ENDING, count).await;
        ended
    }

    /// What models are told of the listed tools, in their order, and of the others; of those that are off nothing.
    pub(crate) fn specs(&self) -> (Vec<ToolSpec>, Vec<ToolSpec>) {
        let on = |name: &str| self.selection.off(name).is_none();
        let listed = self.listed.iter().filter(|name| on(name)).filter_map(|name| Some(self.tools.get(name)?.spec().clone())).collect();
        let mut further = self.tools.specs();
        further.retain(|spec| !self.listed.contains(&spec.name) && on(&spec.name));
        (listed, further)
    }
}
