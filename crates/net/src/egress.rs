//! Which places may be contacted.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use url::Url;

use crate::{Reach, reach};

/// The origins (scheme, host, port) that requests may go to. It starts empty; whoever reads the configuration allows
/// what it names. Clones share one set.
///
/// The names of this machine (`localhost`, `127.0.0.1`, `::1`) count as one host, because people write
/// one and servers listen on another.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    origins: Arc<RwLock<HashSet<Origin>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Egress {
    /// Permits nothing yet.
    pub fn none() -> Self {
        Self::default()
    }

    /// Permits the origin of `url` from now on, for all clones. A URL that is neither `http` nor `https` is ignored.
    pub fn allow(&self, url: &Url) {
        if let Some(origin) = Origin::of(url) {
            self.origins.write().unwrap_or_else(PoisonError::into_inner).insert(origin);
        }
    }

    /// Whether `url` may be contacted.
    pub fn permits(&self, url: &Url) -> bool {
        Origin::of(url).is_some_and(|origin| self.origins.read().unwrap_or_else(PoisonError::into_inner).contains(&origin))
    }
}

impl Origin {
    fn of(url: &Url) -> Option<Self> {
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let host = match reach(url) {
            Reach::Loopback => "localhost".to_owned(),
            Reach::Private | Reach::Public => url.host_str()?.trim_end_matches('.').to_ascii_lowercase(),
        };
        Some(Self { scheme: url.scheme().to_owned(), host, port: url.port_or_known_default()? })
    }
}
