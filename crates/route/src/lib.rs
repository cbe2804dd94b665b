//! Which model answers.
//!
//! The rest of krabba asks for an answer; this crate decides who gives it, waits for it, and goes elsewhere when it does not come.
//! Everything here follows from four ideas:
//!
//! * **Residency first.** Which endpoints may see a conversation is a filter ([`ResidencyPolicy`]) that runs before anything is
//!   ordered. What it refuses is never a candidate, so that no fallback, retry or restart can reach it.
//! * **A fault is a decision.** One machine, without I/O, says what follows from each kind of fault at each stage of an
//!   answer. Nothing else retries.
//! * **Every wait has a name.** Queue, connection, loading, first token, gap: each with its own limit, all printed by
//!   [`ClockTable`], all visible to the person while they last.
//! * **A lesson is learned once.** A true window, a refused field, a dialect that works: stored, shown, and used the next time.
//!
//! The way of a request:
//!
//! ```text
//! text ──[reference]──► ModelRef ──┐
//!                                  ▼
//! Ask ──[order: residency, allow, breaker]──► Plan ──[run]──► leg per route ──► RouteEvent … End
//!                                                              │ queue: a slot of the box
//!                                                              │ target: dialect, fields, key, budget
//!                                                              │ attempt: the stream under its clocks (pace)
//!                                                              └ failover: what now?   lessons: what did we learn?
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `settings`, `tuning`, `catalogue` | what is configured, what is built in |
//! | `reference`, `closest`, `allow` | from a typed text to a model that may be chosen |
//! | `residency`, `order`, `plan` | who may be asked, in which order |
//! | `clocks`, `pace` | the limits on waiting, and one attempt's clocks running |
//! | `breaker`, `keys`, `queue`, `slots` | the state of a route, of a provider's keys, of a box |
//! | `learned`, `lessons`, `facts` | what routes taught us, when, and what is known of them |
//! | `failover`, `run`, `leg`, `ready`, `attempt`, `trial`, `target` | the run itself |
//! | `told` | what people were told already |

mod allow;
mod attempt;
mod breaker;
mod catalogue;
mod clocks;
mod closest;
mod event;
mod facts;
mod failover;
mod keys;
mod learned;
mod leg;
mod lessons;
mod listing;
mod order;
mod pace;
mod plan;
mod prompt;
mod queue;
mod ready;
mod reference;
mod residency;
mod router;
mod run;
mod servers;
mod settings;
mod slots;
mod stream;
mod target;
mod told;
mod trial;
mod tuning;
mod unlisted;

pub use allow::{Allow, AllowPattern, NotAllowed};
pub use catalogue::{HostedModel, HostedProvider, aliases, catalogue, find as find_hosted, model as hosted_model, unsupported};
pub use clocks::{ClockRow, ClockSettings, ClockTable, Clocks, PROBE_INTERVAL};
pub use event::{Attempt, AttemptOutcome, AttemptStarted, ContextMeter, RouteEvent, RunEnd, Surface, Timing};
pub use krabba_llm::Compat;
pub use krabba_local::ServiceSettings;
pub use listing::{KnownBy, ListedModel};
pub use plan::{Ask, Candidate, Plan, Refused, Temper};
pub use prompt::{Prepared, Prompt, TooLarge};
pub use reference::{ResolveError, Resolved};
pub use residency::{ConfigError, ResidencyPolicy, check};
pub use router::Router;
pub use settings::{Alias, Configured, Cost, Extras, Hosting, Key, ModelEntry, Provider, ResidencySource, Selection, Settings};
pub use stream::RunStream;
pub use tuning::{Knobs, Tuning};
pub use unlisted::Unlisted;

#[cfg(test)]
mod allow_tests;
#[cfg(test)]
mod attempt_tests;
#[cfg(test)]
mod breaker_tests;
#[cfg(test)]
mod facts_tests;
#[cfg(test)]
mod failover_tests;
#[cfg(test)]
mod keys_tests;
#[cfg(test)]
mod learned_tests;
#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod pace_tests;
#[cfg(test)]
mod queue_tests;
#[cfg(test)]
mod reference_tests;
#[cfg(test)]
mod residency_tests;
#[cfg(test)]
mod target_tests;
#[cfg(test)]
mod test_settings;
#[cfg(test)]
mod told_tests;
