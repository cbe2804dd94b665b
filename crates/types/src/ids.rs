//! Names of things. Each is a newtype, so that a provider is never passed where a model is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is, byte for byte.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// The id of a model exactly as its server named it. Never trimmed, re-cased or prefixed: these bytes go
    /// out as `model`.
    ModelId
}
text_id! {
    /// An agent of the configuration (`main` unless the user named others).
    AgentId
}
text_id! {
    /// One conversation.
    SessionId
}
text_id! {
    /// One user message and everything done to answer it.
    TurnId
}
text_id! {
    /// A tool call within a turn. Ours, unique in the session; a server's own id may be blank or repeated.
    CallId
}

/// What stands between the conversation of a sub-agent and the one that it belongs to.
const OF_SUB_AGENT: &str = ":subagent:";

impl SessionId {
    /// The conversation of a sub-agent that was begun in this one.
    pub fn sub_agent(&self, name: &str) -> Self {
        Self::new(format!("{self}{OF_SUB_AGENT}{name}"))
    }

    /// The conversation that this one of a sub-agent belongs to; `None` for one of a person.
    pub fn asker(&self) -> Option<Self> {
        Some(Self::new(self.as_str().split_once(OF_SUB_AGENT)?.0))
    }
}

/// A provider: the key under `models.providers` (`lmstudio`). Compared without regard to case, because
/// OpenClaw lower-cases the provider half of a reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderId(String);

impl ProviderId {
    /// Trims and lower-cases `text`.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_lowercase())
    }

    /// The normalised text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A fully spelled model reference, `provider/model`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelRef {
    /// Who serves it.
    pub provider: ProviderId,
    /// The model's id at that provider; may itself contain `/`, `:` and `@`.
    pub model: ModelId,
}

impl ModelRef {
    /// Puts the two halves together.
    pub fn new(provider: ProviderId, model: ModelId) -> Self {
        Self { provider, model }
    }

    /// Splits at the first `/`. Whether the provider exists is not decided here.
    ///
    /// # Errors
    /// When there is no `/`, or nothing on one side of it.
    pub fn parse(text: &str) -> Result<Self, ModelRefError> {
        let text = text.trim();
        match text.split_once('/') {
            Some((provider, model)) if !provider.trim().is_empty() && !model.trim().is_empty() => {
                Ok(Self::new(ProviderId::new(provider), ModelId::new(model.trim())))
            }
            Some(_) | None => Err(ModelRefError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.provider, self.model)
    }
}

impl Serialize for ModelRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ModelRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A text that is not `provider/model`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not of the form provider/model")]
pub struct ModelRefError {
    /// What was given.
    pub text: String,
}
