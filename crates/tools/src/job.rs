//! A command that runs: what it writes is gathered, what is typed goes in, and it ends when it is told to or when nobody holds it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use krabba_sandbox::{Aside, Child, Ended, How, Input, Limit, Piece};
use krabba_types::{Exec, ExecStdio};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::reading::Reading;
use crate::text::plain;

/// What is kept of the output: its beginning, and as much of its end. In bytes.
const HEAD: usize = 128 << 10;
const TAIL: usize = 512 << 10;

/// How much more than that may gather before the middle is thrown away.
const SLACK: usize = 256 << 10;

/// How long what was written by the end of a command may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How to get what is gone.
const AGAIN: &str = "run it again with \"> FILE\" behind it, and look into that";

/// Ends the input of a command that reads from a pipe, as it does at a terminal.
const END_OF_INPUT: char = '\u{4}';

/// A command of a session.
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) command: String,
    /// What it may reach.
    pub(crate) hosts: Vec<String>,
    /// What it may have read.
    pub(crate) reading: Reading,
    pub(crate) stop: CancellationToken,
    stdio: ExecStdio,
    begun: Instant,
    state: Mutex<State>,
    changed: Notify,
    input: tokio::sync::Mutex<Option<Input>>,
}

#[derive(Default)]
struct State {
    output: Vec<u8>,
    /// Bytes that were thrown away behind [`HEAD`].
    dropped: usize,
    /// How much somebody has read, counted with what was dropped.
    read: usize,
    /// How often in a row there was nothing new.
    silent: u32,
    /// The sandbox throws away what comes from here on.
    overflowed: bool,
    /// Where it wanted to go and was not let.
    refused_hosts: Vec<String>,
    ended: Option<Ended>,
}

impl State {
    fn take(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
        if self.output.len() > HEAD + TAIL + SLACK {
            let over = self.output.len() - HEAD - TAIL;
            self.output.drain(HEAD..HEAD + over);
            self.dropped += over;
        }
    }

    fn total(&self) -> usize {
        self.output.len() + self.dropped
    }

    /// What came after the first `from` bytes, as text.
    fn since(&self, from: usize) -> String {
        let (head, tail) = self.output.split_at(HEAD.min(self.output.len()));
        let mut text = String::new();
        if from < head.len() {
            text.push_str(&plain(head.get(from..).unwrap_or_default()));
        }
        let end_of_gap = HEAD + self.dropped;
        if self.dropped > 0 && from < end_of_gap {
            text.push_str(&format!("\n[… {} bytes are gone; {AGAIN} …]\n", end_of_gap - from.max(HEAD)));
        }
        let skipped = from.saturating_sub(end_of_gap.max(head.len()));
        text.push_str(&plain(tail.get(skipped..).unwrap_or_default()));
        if self.overflowed {
            text.push_str(&format!("\n[… it wrote more than is kept; the rest is gone; {AGAIN}]"));
        }
        text
    }
}

impl Job {
    pub(crate) fn new(name: String, exec: Exec, reading: Reading, stop: CancellationToken) -> Self {
        Self {
            name,
            command: exec.command,
            hosts: exec.hosts,
            reading,
            stop,
            stdio: exec.stdio,
            begun: Instant::now(),
            state: Mutex::default(),
            changed: Notify::new(),
            input: tokio::sync::Mutex::default(),
        }
    }

    /// Looks after a command until its end. What it changed is labelled, and `keep` gets what it changed apart from the workspace,
    /// before anybody hears of the end.
    pub(crate) async fn look_after(self: Arc<Self>, child: Child, keep: impl FnOnce(Aside)) {
        let Child { mut process, input, mut output, aside } = child;
        *self.input.lock().await = Some(input);
        let mut ended = None;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled(), if ended.is_none() => ended = Some(process.kill().await),
                piece = output.next() => match piece {
                    Some(piece) => self.heard(piece),
                    None => break,
                },
                end = process.wait(), if ended.is_none() => ended = Some(end),
                // Everything that could still write is gone; what it wrote is in the pipe.
                () = tokio::time::sleep(LAST_WORDS), if ended.is_some() => break,
            }
        }
        let ended = match ended {
            Some(ended) => ended,
            None => tokio::select! {
                () = self.stop.cancelled() => process.kill().await,
                ended = process.wait() => ended,
            },
        };
        *self.input.lock().await = None;
        let job = Arc::clone(&self);
        // A failure leaves what was noted at the beginning, which is more and not less.
        let _labelled = tokio::task::spawn_blocking(move || job.reading.end(ended.limit)).await;
        if let Some(aside) = aside {
            keep(aside);
        }
        let mut state = self.state();
        state.refused_hosts = process.refused_hosts();
        state.ended = Some(ended);
        drop(state);
        self.changed.notify_waiters();
    }

    fn heard(&self, piece: Piece) {
        let mut state = self.state();
        match piece {
            Piece::Bytes(_, bytes) => state.take(&bytes),
            Piece::Cut => state.overflowed = true,
        }
        drop(state);
        self.changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has ended.
    pub(crate) async fn finished(&self) {
        self.until(|state| state.ended.is_some()).await;
    }

    /// Waits until it has written something that nobody has read, or has ended.
    pub(crate) async fn something_new(&self) {
        self.until(|state| state.ended.is_some() || state.total() > state.read).await;
    }

    /// Waits until it has written more than the first `from` bytes, and gives the whole lines of that, and how far they reach.
    pub(crate) async fn lines_after(&self, from: usize) -> (String, usize) {
        let whole = |state: &State| state.since(from).rfind('\n').is_some();
        self.until(|state| state.total() > from && whole(state)).await;
        let state = self.state();
        let end = state.output.iter().rposition(|byte| *byte == b'\n').map_or(from, |at| at + 1 + state.dropped);
        let mut text = state.since(from);
        text.truncate(text.rfind('\n').map_or(0, |at| at + 1));
        (text, end.max(from))
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.notified();
            if holds(&self.state()) {
                return;
            }
            changed.await;
        }
    }

    /// What it wrote since somebody read last.
    pub(crate) fn news(&self) -> String {
        let mut state = self.state();
        let text = state.since(state.read);
        state.silent = if state.total() > state.read { 0 } else { state.silent.saturating_add(1) };
        state.read = state.total();
        text
    }

    /// What it has written.
    pub(crate) fn whole(&self) -> String {
        let mut state = self.state();
        state.read = state.total();
        state.since(0)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state().ended.is_none()
    }

    /// Whether it ended well; nothing is wrong with one that runs.
    pub(crate) fn went_well(&self) -> bool {
        self.state().ended.is_none_or(|ended| ended.how == How::Exited(0) && ended.limit.is_none())
    }

    /// Whether something that it had started was ended with it.
    pub(crate) fn left_running(&self) -> bool {
        self.state().ended.is_some_and(|ended| ended.left_running)
    }

    /// The rule for which it ends the conversation: a decoy that was about to leave shows that something is after keys.
    pub(crate) fn stops(&self) -> Option<String> {
        self.state().ended.filter(|ended| ended.limit == Some(Limit::Decoy)).map(|_| "decoy".to_owned())
    }

    /// Where it wanted to go and was not let, once it has ended.
    pub(crate) fn refused_hosts(&self) -> Vec<String> {
        self.state().refused_hosts.clone()
    }

    /// How often in a row somebody looked for news of it in vain.
    pub(crate) fn silent(&self) -> u32 {
        self.state().silent
    }

    /// How it stands, without the time that it has taken.
    pub(crate) fn gist(&self) -> String {
        if self.is_running() { format!("{} still runs", self.name) } else { self.standing() }
    }

    /// How it stands, in a few words. Empty for one that ended well.
    pub(crate) fn standing(&self) -> String {
        match self.state().ended {
            None => format!("{} still runs, for {} s so far", self.name, self.begun.elapsed().as_secs()),
            Some(Ended { limit: Some(limit @ Limit::Protection), .. }) => format!("{limit}; it is not followed until the owner changes it"),
            Some(Ended { how, limit: Some(limit), .. }) => match how {
                How::Exited(code) => format!("{limit}; exit code {code}"),
                How::Signalled(_) => limit.to_string(),
            },
            Some(Ended { how: How::Exited(0), limit: None, .. }) => String::new(),
            Some(Ended { how: How::Exited(code), limit: None, .. }) => format!("exit code {code}"),
            Some(Ended { how: How::Signalled(signal), limit: None, .. }) => format!("ended by signal {signal}"),
        }
    }

    /// Types into it.
    pub(crate) async fn write(&self, text: &str) -> Result<(), String> {
        let mut input = self.input.lock().await;
        let Some(writer) = input.as_mut() else { return Err(format!("{} reads nothing any more", self.name)) };
        let (typed, ends) = match (self.stdio, text.strip_suffix(END_OF_INPUT)) {
            (ExecStdio::Pipes, Some(typed)) => (typed, true),
            (ExecStdio::Pipes | ExecStdio::Terminal, _) => (text, false),
        };
        // One that does not read makes nobody wait for ever.
        let written = tokio::time::timeout(Duration::from_secs(5), writer.write(typed.as_bytes())).await;
        if ends {
            *input = None;
        }
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("{} reads nothing any more ({error})", self.name)),
            Err(_) => Err(format!("{} does not read what is typed", self.name)),
        }
    }
}
