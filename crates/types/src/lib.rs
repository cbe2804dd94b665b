//! The vocabulary that every room of krabba speaks.
//!
//! Nothing here does anything: no I/O, no async runtime, no policy. A type lives in this crate when at
//! least two rooms pass it to each other. The modules follow the way of a message: who it is about
//! ([`ids`](ModelRef)), what is said ([`Message`]), what is asked of a model ([`ModelRequest`]), what comes
//! back ([`ModelEvent`]), what is known about the one who answers ([`RouteFacts`]), and what can go wrong
//! ([`Fault`]).

mod action;
mod clock;
mod event;
mod facts;
mod fault;
mod figures;
mod ids;
mod label;
mod message;
mod place;
mod request;
mod secret;
mod usage;

pub use action::{
    Action, Consult, Control, Encoding, Exec, ExecChanges, ExecMode, ExecStdio, ExtractMode, Fetch, FileChange, FileChanges, FileMode,
    ForeignCall, ForeignEffect, Look, PathError, Search, Spawn, Structured, TimeRange, WorkspacePath, World,
};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use event::{BrokenCall, CallProblem, DoneReason, ModelEvent, Progress, ToolCallPart};
pub use facts::{Fact, FactSource, RouteFacts, RouteState, ServerKind, TemplateFamily, ToolAbility};
pub use fault::{Fault, FaultKind, Phase};
pub use figures::{grouped, seconds, signed, speed};
pub use ids::{AgentId, CallId, ModelId, ModelRef, ModelRefError, ProviderId, SessionId, TurnId};
pub use label::Label;
pub use message::{CallChannel, Image, Message, Part, Reasoning, ReasoningOrigin, Role, ToolCall, ToolResult};
pub use place::{BoxId, Residency, ResidencyParseError};
pub use request::{Aliases, CALL_TOOL, Calling, Dialect, JsonObject, ModelRequest, Params, Thinking, ToolSpec, UnknownDialect, Wanted};
pub use secret::Secret;
pub use usage::Usage;

#[cfg(test)]
mod action_tests;
#[cfg(test)]
mod figures_tests;
#[cfg(test)]
mod label_tests;
