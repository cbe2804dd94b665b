//! What a route taught us, so that nobody learns it the hard way twice.
//!
//! The true window (out of an overflow, a pinned count or a truncated prompt), fields that the server refuses, the dialect
//! that works, speeds, loads that did not end. Kept in memory for the hot path, and in the store for the next start.
//!
//! A learned window belongs to what the server claimed at that time. When the claim changes, because the model was loaded
//! anew with another size, the lesson is over.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use krabba_store::{Store, StoreError};
use krabba_types::{Clock, Dialect, Fact, FactSource, Timestamp, ToolAbility, Usage};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Below this estimate a difference in counting says nothing.
const TRUNCATION_FROM: f64 = 2_000.0;

/// A reported prompt below this share of the expected one was cut by the server.
const TRUNCATION_SHARE: f64 = 0.85;

/// How much of a new measurement enters a running average.
const WEIGHT: f64 = 0.3;

/// How long a load that did not end is remembered; doubled each time that it happens again.
const FIRST_MEMORY: Duration = Duration::from_secs(60);

/// The longest of these.
const LONGEST_MEMORY: Duration = Duration::from_secs(1800);

/// The window that a server really has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LearnedWindow {
    /// Tokens.
    pub(crate) tokens: u32,
    /// What the server claimed when this was learned.
    pub(crate) claimed: Option<u32>,
    /// Until when it holds, where it is a guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
}

/// What one route taught us.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lessons {
    pub(crate) window: Option<Fact<LearnedWindow>>,
    /// Fields refused, by the dialect in which they were sent.
    pub(crate) dropped: HashMap<Dialect, BTreeSet<String>>,
    /// The dialect to use instead of the configured one.
    pub(crate) dialect: Option<Dialect>,
    pub(crate) reading_speed: Option<Fact<f64>>,
    pub(crate) writing_speed: Option<Fact<f64>>,
    /// Whether text of this route turned out to be reasoning, whose opening the template had kept to itself.
    pub(crate) orphan_close: Option<bool>,
    /// How many times in a row a load did not end within its budget, and when the last one did not.
    pub(crate) endless_loads: Option<Fact<u32>>,
    /// How tools turned out to be called.
    pub(crate) tools: Option<Fact<ToolAbility>>,
    /// Not stored: how the server's counts relate to our estimates.
    ratio: Option<f64>,
    /// Not stored: the last total at which an answer ran out of room.
    pinned_at: Option<u64>,
    /// Not stored: Ollama's `num_ctx` of the last request.
    pub(crate) num_ctx: Option<u32>,
}

/// A change worth telling and keeping.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Lesson {
    /// The real window, with the one line for the person.
    Window(LearnedWindow),
    /// This field is refused.
    Dropped(Dialect, String),
    /// This dialect works.
    Dialect(Dialect),
    /// Tools are called in this way.
    Tools(ToolAbility),
    /// Speeds in tokens per second.
    Speeds {
        /// Of reading the prompt.
        reading: Option<f64>,
        /// Of writing.
        writing: Option<f64>,
    },
    /// The server took more than we thought possible.
    WindowWasTooSmall,
    /// Whether an unopened reasoning block was closed.
    OrphanClose(bool),
    /// A load did not end within its budget.
    EndlessLoad,
    /// It is loaded.
    Loaded,
}

/// What the counts of a finished answer give away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CountsTell {
    /// Nothing.
    Nothing,
    /// The server read much less than it was sent.
    Truncated {
        /// Tokens that it read.
        read: u64,
        /// Tokens that were to be expected.
        expected: u64,
    },
    /// Two answers ended at the same total for want of room.
    Pinned {
        /// Tokens of prompt and answer.
        total: u64,
    },
    /// More went in than the window was thought to hold.
    LargerThanThought,
}

/// Whether a server that read so much of so much left something out.
pub(crate) fn is_truncated(read: u64, expected: f64) -> bool {
    // Token counts stay far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let read = read as f64;
    read < expected * TRUNCATION_SHARE
}

impl Lessons {
    /// Learns how many tokens the server counts for one that we estimate.
    pub(crate) fn calibrate(&mut self, read: u64, estimate: u32) {
        if estimate > 200 {
            // Token counts stay far below 2^52.
            #[allow(clippy::cast_precision_loss)]
            let ratio = (read as f64 / f64::from(estimate)).clamp(0.5, 2.0);
            self.ratio = Some(self.ratio.map_or(ratio, |before| before + WEIGHT * (ratio - before)));
        }
    }

    /// Compares what the server counted with what we sent. `ran_out` says that the answer ended for want of room.
    pub(crate) fn counts(&mut self, usage: &Usage, estimate: u32, ran_out: bool) -> CountsTell {
        let Some(read) = usage.prompt_tokens.filter(|read| *read > 0) else { return CountsTell::Nothing };
        let total = read.saturating_add(usage.output_tokens.unwrap_or(0));
        let pinned = ran_out && self.pinned_at == Some(total);
        self.pinned_at = if ran_out { Some(total) } else { self.pinned_at };
        if pinned {
            return CountsTell::Pinned { total };
        }
        let expected = f64::from(estimate) * self.ratio.unwrap_or(1.0);
        if expected > TRUNCATION_FROM && is_truncated(read, expected) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            return CountsTell::Truncated { read, expected: expected as u64 };
        }
        self.calibrate(read, estimate);
        match self.window {
            Some(window) if total > u64::from(window.value.tokens) => CountsTell::LargerThanThought,
            Some(_) | None => CountsTell::Nothing,
        }
    }

    /// Whether counts of this server were compared with our estimates before.
    pub(crate) fn is_calibrated(&self) -> bool {
        self.ratio.is_some()
    }

    /// How long it is remembered that loads do not end here; zero where they do.
    pub(crate) fn memory_of_endless_loads(&self) -> Duration {
        let doublings = self.endless_loads.map(|times| times.value.saturating_sub(1).min(16));
        doublings.map_or(Duration::ZERO, |doublings| FIRST_MEMORY.saturating_mul(1 << doublings).min(LONGEST_MEMORY))
    }

    /// Whether to wait for a load here at length, at `now`.
    pub(crate) fn loads_end(&self, now: Timestamp) -> bool {
        self.endless_loads.is_none_or(|times| now.since(times.at) >= self.memory_of_endless_loads())
    }

    /// The window to have Ollama load with. It grows for an agent that uses more of it, and never shrinks: each other value loads the
    /// model anew.
    pub(crate) fn num_ctx(&mut self, window: u32) -> u32 {
        let tokens = self.num_ctx.map_or(window, |before| before.max(window));
        self.num_ctx = Some(tokens);
        tokens
    }

    fn take(&mut self, lesson: &Lesson, source: FactSource, at: Timestamp) {
        match lesson {
            Lesson::Window(window) => self.window = Some(Fact::new(*window, source, at)),
            Lesson::WindowWasTooSmall => self.window = None,
            Lesson::Dropped(dialect, field) => {
                self.dropped.entry(*dialect).or_default().insert(field.clone());
            }
            Lesson::Dialect(dialect) => self.dialect = Some(*dialect),
            Lesson::Tools(ability) => self.tools = Some(Fact::new(*ability, source, at)),
            Lesson::Speeds { reading, writing } => {
                average(&mut self.reading_speed, *reading, at);
                average(&mut self.writing_speed, *writing, at);
            }
            Lesson::OrphanClose(seen) => self.orphan_close = Some(*seen),
            Lesson::EndlessLoad => {
                let times = self.endless_loads.map_or(0, |times| times.value).saturating_add(1);
                self.endless_loads = Some(Fact::new(times, source, at));
            }
            Lesson::Loaded => self.endless_loads = None,
        }
    }
}

fn average(into: &mut Option<Fact<f64>>, measured: Option<f64>, at: Timestamp) {
    if let Some(measured) = measured.filter(|speed| speed.is_finite() && *speed > 0.0) {
        let value = into.map_or(measured, |before| before.value + WEIGHT * (measured - before.value));
        *into = Some(Fact::new(value, FactSource::Measured, at));
    }
}

/// The lessons of all routes.
pub(crate) struct Learned {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    routes: Mutex<HashMap<String, Lessons>>,
}

impl Learned {
    /// With everything that was learned before. Facts that cannot be read are learned again.
    pub(crate) fn load(store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        let mut routes: HashMap<String, Lessons> = HashMap::new();
        for stored in store.all_facts().unwrap_or_default() {
            restore(routes.entry(stored.route).or_default(), &stored.name, stored.fact);
        }
        Self { store, clock, routes: Mutex::new(routes) }
    }

    /// What is known of a route.
    pub(crate) fn of(&self, route: &str) -> Lessons {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner).get(route).cloned().unwrap_or_default()
    }

    /// Changes what is known in memory alone.
    pub(crate) fn with<T>(&self, route: &str, change: impl FnOnce(&mut Lessons) -> T) -> T {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        change(routes.entry(route.to_owned()).or_default())
    }

    /// Takes a lesson to heart and to the disk.
    ///
    /// # Errors
    /// When it could not be stored; it is known all the same until we end.
    pub(crate) fn learn(&self, route: &str, lesson: &Lesson, source: FactSource) -> Result<(), StoreError> {
        let at = self.clock.now();
        let after = self.with(route, |lessons| {
            lessons.take(lesson, source, at);
            lessons.clone()
        });
        let write = |name: &str, value: Value| self.store.remember_fact(route, name, &value, source, at);
        match lesson {
            Lesson::Window(window) => write("window", json!(window)),
            Lesson::WindowWasTooSmall => self.store.forget_fact(route, "window"),
            Lesson::Dropped(dialect, _) => {
                write(&format!("dropped:{dialect}"), json!(after.dropped.get(dialect).cloned().unwrap_or_default()))
            }
            Lesson::Dialect(dialect) => write("dialect", json!(dialect)),
            Lesson::Tools(ability) => write("tools", json!(ability)),
            Lesson::Speeds { .. } => {
                for (name, fact) in [("readingSpeed", after.reading_speed), ("writingSpeed", after.writing_speed)] {
                    if let Some(fact) = fact {
                        write(name, json!(fact.value))?;
                    }
                }
                Ok(())
            }
            Lesson::OrphanClose(seen) => write("orphanClose", json!(seen)),
            Lesson::EndlessLoad => write("endlessLoads", json!(after.endless_loads.map_or(0, |times| times.value))),
            Lesson::Loaded => self.store.forget_fact(route, "endlessLoads"),
        }
    }
}

fn restore(lessons: &mut Lessons, name: &str, fact: Fact<Value>) {
    let Fact { value, source, at } = fact;
    match name {
        "window" => {
            if let Ok(window) = serde_json::from_value(value) {
                lessons.window = Some(Fact::new(window, source, at));
            }
        }
        "dialect" => lessons.dialect = serde_json::from_value(value).ok(),
        "tools" => lessons.tools = serde_json::from_value(value).ok().map(|ability| Fact::new(ability, source, at)),
        "readingSpeed" => lessons.reading_speed = value.as_f64().map(|speed| Fact::new(speed, source, at)),
        "writingSpeed" => lessons.writing_speed = value.as_f64().map(|speed| Fact::new(speed, source, at)),
        "orphanClose" => lessons.orphan_close = value.as_bool(),
        "endlessLoads" => {
            let times = value.as_u64().and_then(|times| u32::try_from(times).ok());
            lessons.endless_loads = times.map(|times| Fact::new(times, source, at));
        }
        _ => {
            let dialect = name.strip_prefix("dropped:").and_then(|dialect| dialect.parse().ok());
            if let (Some(dialect), Ok(fields)) = (dialect, serde_json::from_value(value)) {
                lessons.dropped.insert(dialect, fields);
            }
        }
    }
}
