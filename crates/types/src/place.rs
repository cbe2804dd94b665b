//! Where an endpoint stands: its box and its residency.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A physical server: what queues, breakers and slots belong to. Scheme, host and port, unless the user joined
/// several of them under one name (`box: NAME`, two servers on one GPU).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BoxId(String);

impl BoxId {
    /// The box of a server address. `scheme` and `host` are lower-cased.
    pub fn of_address(scheme: &str, host: &str, port: u16) -> Self {
        Self(format!("{}://{}:{port}", scheme.to_lowercase(), host.to_lowercase()))
    }

    /// A box that the user named.
    pub fn named(name: &str) -> Self {
        Self(format!("box:{}", name.trim()))
    }

    /// For display and as a key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BoxId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How far a conversation travels when this endpoint answers. Ordered from near to far by
/// [`Residency::reach`]; which of them a conversation may use is a policy of the route layer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Residency {
    /// This machine.
    Device,
    /// A machine in the owner's own network.
    Lan,
    /// Somebody's machine in a named region (`eu`, `us`, …; lower case).
    Region(String),
    /// Somebody's machine, anywhere.
    Hosted,
}

impl Residency {
    /// 0 for this machine, 1 for the home network, 2 for a region, 3 for anywhere.
    pub fn reach(&self) -> u8 {
        match self {
            Self::Device => 0,
            Self::Lan => 1,
            Self::Region(_) => 2,
            Self::Hosted => 3,
        }
    }

    /// Whether the conversation leaves the owner's own machines.
    pub fn leaves_home(&self) -> bool {
        self.reach() > Self::Lan.reach()
    }
}

impl fmt::Display for Residency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device => formatter.write_str("device"),
            Self::Lan => formatter.write_str("lan"),
            Self::Region(code) => write!(formatter, "region:{code}"),
            Self::Hosted => formatter.write_str("hosted"),
        }
    }
}

impl FromStr for Residency {
    type Err = ResidencyParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "device" => Ok(Self::Device),
            "lan" => Ok(Self::Lan),
            "hosted" => Ok(Self::Hosted),
            other => match other.strip_prefix("region:") {
                Some(code) if !code.is_empty() && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
                    Ok(Self::Region(code.to_ascii_lowercase()))
                }
                Some(_) | None => Err(ResidencyParseError { text: other.to_owned() }),
            },
        }
    }
}

impl Serialize for Residency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Residency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that names no residency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a residency; use device, lan, region:<code> or hosted")]
pub struct ResidencyParseError {
    /// What was given.
    pub text: String,
}
