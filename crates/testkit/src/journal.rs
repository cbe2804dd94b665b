//! What a scripted server saw: every request, who left when, and how many were at work at once.

use tokio::sync::watch;
use tokio::time::Instant;

use crate::http::Request;

/// A request as it came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Counted from 1, over all connections, in the order in which they were complete.
    pub number: usize,
    /// The connection it came on, counted from 1.
    pub connection: u64,
    /// `GET`, `POST`, …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// What follows `?`, undecoded; empty without one.
    pub query: String,
    /// In the order in which they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, when it is JSON.
    pub json: Option<serde_json::Value>,
    /// The body's bytes, transfer coding removed.
    pub body: Vec<u8>,
    /// When it was complete.
    pub at: Instant,
    /// Whether it asked for an answer of a model.
    pub generation: bool,
}

impl Recorded {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The model that the body names.
    pub fn model(&self) -> Option<&str> {
        self.json.as_ref()?.get("model")?.as_str()
    }
}

/// How far the answer to a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Being answered.
    Open,
    /// Answered as far as the script goes.
    Answered,
    /// The client closed the connection before the answer was over.
    Abandoned {
        /// When the server noticed.
        at: Instant,
    },
}

/// Entries of the journal; the connection tasks write, tests read and wait.
#[derive(Debug)]
pub(crate) struct Journal {
    entries: watch::Sender<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    requests: Vec<Recorded>,
    fates: Vec<Fate>,
    closed: Vec<u64>,
    connections: u64,
    open: usize,
    most_open: usize,
}

impl Entries {
    fn fate(&self, number: usize) -> Option<Fate> {
        self.fates.get(number.checked_sub(1)?).copied()
    }

    fn connection_closed(&self, number: usize) -> bool {
        let request = number.checked_sub(1).and_then(|index| self.requests.get(index));
        request.is_some_and(|request| self.closed.contains(&request.connection))
    }
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self { entries: watch::Sender::new(Entries::default()) }
    }

    pub(crate) fn connected(&self) -> u64 {
        let mut id = 0;
        self.entries.send_modify(|entries| {
            entries.connections += 1;
            id = entries.connections;
        });
        id
    }

    pub(crate) fn record(&self, connection: u64, request: &Request, generation: bool) -> usize {
        let recorded = Recorded {
            number: 0,
            connection,
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: request.headers.clone(),
            json: serde_json::from_slice(&request.body).ok(),
            body: request.body.clone(),
            at: Instant::now(),
            generation,
        };
        let mut number = 0;
        self.entries.send_modify(|entries| {
            number = entries.requests.len() + 1;
            entries.requests.push(Recorded { number, ..recorded });
            entries.fates.push(Fate::Open);
            if generation {
                entries.open += 1;
                entries.most_open = entries.most_open.max(entries.open);
            }
        });
        number
    }

    pub(crate) fn ended(&self, number: usize, fate: Fate) {
        self.entries.send_modify(|entries| {
            let Some(index) = number.checked_sub(1) else { return };
            let generation = entries.requests.get(index).is_some_and(|request| request.generation);
            let Some(current) = entries.fates.get_mut(index) else { return };
            if *current != Fate::Open {
                return;
            }
            *current = fate;
            if generation {
                entries.open -= 1;
            }
        });
    }

    pub(crate) fn closed(&self, connection: u64) {
        self.entries.send_modify(|entries| entries.closed.push(connection));
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.entries.borrow().requests.clone()
    }

    pub(crate) fn fate(&self, number: usize) -> Option<Fate> {
        self.entries.borrow().fate(number)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.entries.borrow().connections
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.entries.borrow().open
    }

    pub(crate) fn max_in_flight(&self) -> usize {
        self.entries.borrow().most_open
    }

    pub(crate) async fn wait_requests(&self, count: usize) {
        self.wait(|entries| entries.requests.len() >= count).await;
    }

    pub(crate) async fn wait_closed(&self, number: usize) {
        self.wait(|entries| entries.connection_closed(number)).await;
    }

    pub(crate) async fn wait_ended(&self, number: usize) -> Fate {
        self.wait(|entries| entries.fate(number).is_some_and(|fate| fate != Fate::Open)).await;
        self.fate(number).unwrap_or(Fate::Open)
    }

    pub(crate) async fn wait_idle(&self) {
        self.wait(|entries| entries.open == 0).await;
    }

    async fn wait(&self, condition: impl Fn(&Entries) -> bool) {
        // The sender lives in self, so the channel cannot close while this waits.
        let _ = self.entries.subscribe().wait_for(|entries| condition(entries)).await;
    }
}
