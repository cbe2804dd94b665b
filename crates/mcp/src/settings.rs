//! What the owner says about a server.

use std::collections::BTreeMap;
use std::time::Duration;

use krabba_sandbox::{Reach, ServerCommand};
use krabba_types::Secret;
use url::Url;

/// A server of the configuration.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Its key in the configuration.
    pub id: String,
    /// How it is reached.
    pub transport: Transport,
    /// Which of its tools are offered.
    pub filter: Filter,
    /// For each tool that the owner said something about, the arguments that decide who or what is affected.
    pub critical: BTreeMap<String, Vec<String>>,
    /// How long things may take.
    pub clocks: Clocks,
}

/// How a server is reached.
#[derive(Clone, Debug)]
pub enum Transport {
    /// It is a program that talks over its standard streams.
    Program(ServerCommand),
    /// It listens (MCP: streamable HTTP).
    Http {
        /// Where.
        url: Url,
        /// What goes along with each request.
        headers: Vec<(String, Secret)>,
    },
}

/// Which tools are offered. A `*` in a name stands for anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// These alone, when there are any.
    pub include: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Until a server has said what it offers.
    pub connect: Duration,
    /// A call.
    pub call: Duration,
}

impl Default for Clocks {
    fn default() -> Self {
        Self { connect: Duration::from_secs(30), call: Duration::from_secs(60) }
    }
}

impl ServerSettings {
    /// Whether what it is asked stays on this machine, as far as anybody but the server itself can tell.
    pub(crate) fn stays_here(&self) -> bool {
        match &self.transport {
            Transport::Program(command) => command.reach == Reach::Nothing,
            Transport::Http { url, .. } => krabba_net::reach(url) == krabba_net::Reach::Loopback,
        }
    }
}

impl Filter {
    pub(crate) fn offers(&self, tool: &str) -> bool {
        let among = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, tool));
        (self.include.is_empty() || among(&self.include)) && !among(&self.exclude)
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|head| name.strip_prefix(head)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(tail) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn star_in_the_middle_hides_nothing_else() {
        let holds = |pattern, name| matches(pattern, name);
        assert!(holds("read_*", "read_file") && holds("*", "x") && holds("a*c*e", "abcde") && holds("read", "read"));
        assert!(!holds("read", "read_file") && !holds("*_file", "files") && !holds("a*b", "ac") && !holds("aa*a", "aa"));
    }
}
