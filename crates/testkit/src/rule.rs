//! Which requests are answered how.

use std::collections::BTreeMap;

use krabba_types::Dialect;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Step;

/// An answer and the requests that get it. The first rule that fits is taken; all conditions must hold.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Which requests; all generation requests when left out.
    pub when: When,
    /// HTTP status; 200 when left out. With another status and no step, the error body of the server for it.
    pub status: Option<u16>,
    /// Extra response headers. `content-type` replaces the usual one.
    pub headers: BTreeMap<String, String>,
    /// A JSON body, sent whole, in place of steps.
    pub json: Option<Value>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// How the bytes are sent.
    pub delivery: Delivery,
    /// Name of the field that carries reasoning, where it is not the server's usual one.
    pub reasoning_field: Option<String>,
}

/// Conditions of a [`Rule`].
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// Only requests for this model.
    pub model: Option<String>,
    /// Only this generation request, counted from 1.
    pub request: Option<u64>,
    /// Only generation requests from this one on, counted from 1.
    pub from: Option<u64>,
    /// Only requests to this path, which then need not be a generation request.
    pub path: Option<String>,
    /// Only requests in this dialect.
    pub dialect: Option<Dialect>,
    /// Only requests with (`true`) or without (`false`) tools.
    pub tools: Option<bool>,
    /// Only requests that ask for a stream (`true`) or for a whole reply (`false`).
    pub stream: Option<bool>,
    /// Only requests whose body contains this text.
    pub contains: Option<String>,
}

/// What a rule is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) path: &'a str,
    pub(crate) generation: Option<GenerationFacts<'a>>,
    pub(crate) body: &'a str,
}

/// The part of [`Facts`] that only a generation request has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GenerationFacts<'a> {
    pub(crate) model: &'a str,
    pub(crate) number: u64,
    pub(crate) dialect: Dialect,
    pub(crate) tools: bool,
    pub(crate) stream: bool,
}

impl When {
    pub(crate) fn fits(&self, facts: &Facts<'_>) -> bool {
        let path = self.path.as_deref().is_none_or(|path| path == facts.path);
        let contains = self.contains.as_deref().is_none_or(|text| facts.body.contains(text));
        let generation = match facts.generation {
            Some(generation) => self.fits_generation(&generation),
            None => self.path.is_some() && !self.asks_for_generation(),
        };
        path && contains && generation
    }

    fn fits_generation(&self, facts: &GenerationFacts<'_>) -> bool {
        self.model.as_deref().is_none_or(|model| model == facts.model)
            && self.request.is_none_or(|number| number == facts.number)
            && self.from.is_none_or(|number| number <= facts.number)
            && self.dialect.is_none_or(|dialect| dialect == facts.dialect)
            && self.tools.is_none_or(|tools| tools == facts.tools)
            && self.stream.is_none_or(|stream| stream == facts.stream)
    }

    fn asks_for_generation(&self) -> bool {
        self.model.is_some()
            || self.request.is_some()
            || self.from.is_some()
            || self.dialect.is_some()
            || self.tools.is_some()
            || self.stream.is_some()
    }
}

/// How the bytes of an answer are sent.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// Streamed or whole.
    pub form: Form,
    /// How the body's length is told.
    pub transfer: Transfer,
    /// Line ends of SSE.
    pub newline: Newline,
    /// At most so many bytes of the body per packet (and per chunk); each is flushed alone.
    pub packet_bytes: Option<usize>,
    /// The connection closes after so many bytes of the body.
    pub cut_after_bytes: Option<u64>,
    /// The `data:` field without the space after the colon.
    pub no_space: bool,
}

/// Streamed or whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// As the request's `stream` says.
    #[default]
    Asked,
    /// Always one JSON body, also when a stream was asked for.
    Whole,
    /// Always a stream.
    Stream,
}

/// How the body's length is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transfer {
    /// Chunked for streams, `Content-Length` for whole bodies.
    #[default]
    Usual,
    /// Not at all: the body ends when the connection closes, and a cut looks like an end.
    Close,
}

/// Line ends of SSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Newline {
    /// `\n`
    #[default]
    Lf,
    /// `\r\n`
    Crlf,
    /// `\r`
    Cr,
}

impl Newline {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::Crlf => "\r\n",
            Self::Cr => "\r",
        }
    }
}
