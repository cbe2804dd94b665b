//! The offer to load a model anew in LM Studio with the window that the person configured, or one to talk in.
//!
//! LM Studio loads a model when a request names it, with 4,096 tokens unless told otherwise, and a conversation soon
//! falls out of that. Its interface for loading is used at the person's word alone. So they are asked, once, as soon as
//! the server has told what it has in memory; whatever is no yes is a no.

use futures_util::StreamExt;
use krabba_local::{Configured, Figure, LoadEvent, LoadStream, mismatches};
use krabba_route::Router;
use krabba_types::{ModelRef, ServerKind, grouped};

/// A window that is enough for long conversations and that many machines have the memory for.
const ENOUGH: u32 = 32_768;

/// A window in which a conversation soon forgets its beginning.
const LITTLE: u32 = 8_192;

/// A model that was loaded with less than was configured, or, where nothing was, with too little.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Which.
    pub(crate) reference: ModelRef,
    /// The window of the loaded instance, in tokens.
    loaded: u32,
    /// What the configuration says.
    configured: Option<u32>,
    /// What to load it with.
    pub(crate) window: u32,
}

/// How far the matter has come.
#[derive(Default)]
pub(crate) enum Offering {
    /// Nothing is known to offer yet.
    #[default]
    NotYet,
    /// The person was asked.
    Asked(Offer),
    /// They said yes.
    Loading(Offer, LoadStream),
    /// They were asked before.
    Over,
}

/// What a line means as an answer to a question for yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
    /// It is no answer but a message.
    Neither,
}

impl Offer {
    /// What there is to offer for a route, by what its server said last.
    pub(crate) fn find(router: &Router, reference: &ModelRef) -> Option<Self> {
        let provider = router.providers().iter().find(|provider| provider.id == reference.provider)?;
        let report = router.report(&reference.provider).filter(|report| report.kind == ServerKind::LmStudio)?;
        let entry = provider.models.iter().find(|entry| entry.id == reference.model)?;
        let model = report.model(&reference.model)?;
        let (loaded, maximum) = (model.window?, model.max_window.or(entry.window)?);
        let found = mismatches(&report, &entry.id, &Configured { window: entry.window, ..Configured::default() });
        let differs = found.iter().any(|mismatch| matches!(mismatch.figure, Figure::LoadedWindow | Figure::MaximumWindow));
        let most = match entry.window {
            Some(configured) if differs => configured.min(maximum),
            None if loaded < LITTLE => maximum,
            Some(_) | None => return None,
        };
        let window = if loaded < ENOUGH { most.min(ENOUGH) } else { most };
        (loaded < window).then(|| Self { reference: reference.clone(), loaded, configured: entry.window, window })
    }

    /// For the person.
    pub(crate) fn question(&self) -> String {
        let why = match self.configured {
            Some(configured) => format!("and {} are configured", grouped(configured)),
            None => "which is little for a conversation".to_owned(),
        };
        format!(
            "LM Studio has {} in memory with a window of {} tokens, {why}. Load it again with {}? [y/N]",
            self.reference.model,
            grouped(self.loaded),
            grouped(self.window)
        )
    }
}

impl Offering {
    /// The next event of the load; never, while nothing is loaded.
    pub(crate) async fn next(&mut self) -> Option<LoadEvent> {
        match self {
            Self::Loading(_, load) => load.next().await,
            Self::NotYet | Self::Asked(_) | Self::Over => std::future::pending().await,
        }
    }

    /// Whether messages have to wait for it.
    pub(crate) fn is_loading(&self) -> bool {
        matches!(self, Self::Loading(..))
    }
}

impl Answer {
    /// Reads a line; an empty one is a no.
    pub(crate) fn of(text: &str) -> Self {
        match text.trim().to_lowercase().as_str() {
            "y" | "yes" | "j" | "ja" => Self::Yes,
            "" | "n" | "no" | "nein" | "nej" => Self::No,
            _ => Self::Neither,
        }
    }
}
