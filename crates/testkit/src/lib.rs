//! Scripted model servers for tests: every quirk of every server, from small text files.
//!
//! A [`ScriptedServer`] is a TCP listener on loopback with its own small HTTP/1.1, because no framework resets a
//! connection before the head, ends a chunked body badly, or sends one byte per packet. What it says is decided by a
//! [`Script`]; what it was sent is kept in a journal ([`Recorded`], [`Fate`]). It plays LM Studio, llama.cpp, Ollama,
//! vLLM, SGLang, MLX, LiteLLM, LocalAI, Jan and the hosted services in their own shapes, and speaks all four dialects:
//! the same steps are rendered for the path that was called, streamed or whole as the request asks.
//!
//! # A script
//!
//! A script is built in Rust (`Script::lm_studio().model("m").window(8192).reply("hello")`) or read from a file, JSON5,
//! of this shape. Everything but what a test is about may be left out.
//!
//! ```json5
//! {
//!   server: "lm-studio",          // ServerKind; "other" speaks every dialect
//!   version: "0.4.21",
//!   key: "secret",                // required then, as Bearer or x-api-key
//!   models: [{                    // Model; without any, every name is answered
//!     id: "qwen3-8b", window: 8192, max_window: 262144, loaded: true,
//!     true_window: 4096,          // lies about its window
//!     later_window: {from: 3, window: 4096},
//!     overflow: "usual",          // usual, older-words, other-engine, truncate, empty-stream, ignore
//!     answers_as: "other", vanished: false,
//!     card: {billions: 8, quantization: "Q4_K_M", vision: false, tools: true, remote_host: null},
//!   }],
//!   machine: {
//!     slots: 1, when_full: "wait",              // wait, unavailable, too-many
//!     boot: {for_ms: 500, style: "unavailable"},// unavailable, blocks, resets; without for_ms until release()
//!     load: {ms: 500, style: "blocks"},         // blocks, comments, unavailable, refuses; held: until release()
//!     one_model: true, window_reloads: true, deaf: false, read_ms_per_1000: 50,
//!   },
//!   strict: ["one-system", "no-tools"],         // Strict
//!   rules: [{                                   // the first one that fits
//!     when: {model: "qwen3-8b", request: 1},    // also from, path, dialect, tools, stream, contains
//!     status: 200, headers: {"retry-after": "2"}, json: null,
//!     steps: [
//!       {reasoning: "hm"}, {text: "Hel"}, {delay_ms: 20}, {text: "lo"}, {comment: "keepalive"},
//!       {progress: {done: 512, total: 2048}}, {tool_call: {name: "f", arguments: {a: 1}, pieces: 3}},
//!       {raw: "\xEF\xBB\xBF"}, {wire: "zz"}, {data: {any: "json"}}, {event: {name: "ping", data: {}}},
//!       {error: {status: 500, message: "boom"}}, {usage: {prompt: 12}}, {finish: "stop"},
//!       {repeat: {text: "word ", times: 64, every_ms: 20}}, {endless: "x"}, {huge: 104857600}, {html: "<html>"},
//!       "done_marker", "end", "head", "headers_endless", "gate", "eof", "cut", "reset", "stall",
//!     ],
//!     delivery: {form: "asked", transfer: "usual", newline: "lf", packet_bytes: 1, cut_after_bytes: 260},
//!     reasoning_field: "reasoning",
//!   }],
//!   ask: {prompt_bytes: 60000, tools: true},    // corpus only: what to send
//!   expect: {outcome: "fault:overflow", limit: 4096}, // corpus only: what to make of it
//! }
//! ```
//!
//! Steps stand in the order in which bytes leave. An answer ends as its last step leaves it: `end` is a healthy ending in
//! the dialect, without it the body just ends. The head goes with the first bytes, so a first step can also be a pause, a
//! reset or a stall.
//!
//! # The corpus
//!
//! `quirks/` holds one file per quirk, named after it. Its opening comment says where the fact comes from and what a
//! client has to make of it; `expect` says the same for programs. [`Quirk::all`] reads them for tables of tests.
//!
//! # Real servers
//!
//! [`LlamaServer`] and [`LiteLlm`] are handles on real programs, which `cargo xtask servers` puts into a cache.
//!
//! # What it does not do
//!
//! It does not think: a prompt is so many bytes, a token is four of them. It does not judge a request but by the rules of
//! `strict`, and it opens no connection.

mod body_writer;
mod build;
mod expect;
mod generate;
mod hosted;
mod http;
#[cfg(test)]
mod http_tests;
mod journal;
mod kinds;
mod machine;
#[cfg(test)]
mod machine_tests;
mod model;
mod play;
mod play_stream;
mod play_whole;
mod prompt;
mod quirk;
mod real;
mod rule;
mod script;
mod server;
mod server_error;
mod shared;
mod speech;
mod step;
#[cfg(test)]
mod step_tests;
mod strict;

pub use expect::{Expect, ExpectedCall, Outcome};
pub use hosted::FakeHosted;
pub use journal::{Fate, Recorded};
pub use model::{Card, LaterWindow, Model, Overflow};
pub use quirk::{Quirk, dialect_path};
pub use real::{LiteLlm, LlamaServer, McpListener, McpScript, ModelFile};
pub use rule::{Delivery, Form, Newline, Rule, Transfer, When};
pub use script::{Ask, Boot, BootStyle, Load, LoadStyle, MachineScript, Script, ScriptError, Strict, WhenFull};
pub use server::ScriptedServer;
pub use server_error::ServerError;
pub use step::{ArgumentsForm, CallStep, EventStep, ProgressStep, RawBytes, RepeatStep, Step, UsageStep};
