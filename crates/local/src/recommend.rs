//! Which model to begin with.

use krabba_net::Url;
use krabba_types::{ModelId, Residency, grouped};

use crate::machine::memory_needed;
use crate::residency::{model_residency, why_hosted};
use crate::{Machine, Report, ServerModel, ServerState, WhyHosted, raise_window};

/// Below this window a conversation with a system prompt has hardly any room.
const SMALL_WINDOW: u32 = 8_192;
/// The window to recommend instead.
const GOOD_WINDOW: u32 = 32_768;
/// Below this many bits per weight a model gets noticeably worse.
const HEAVY_BITS: f64 = 4.0;

/// The model to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// The base URL of its server.
    pub url: String,
    /// Its id.
    pub model: ModelId,
    /// Why it counts as hosted. Then it is there and no more: whether to use it is its owner's decision.
    pub hosted: Option<WhyHosted>,
    /// Why this one, in a sentence for a person.
    pub why: String,
    /// What to know about it, each a sentence with its remedy.
    pub warnings: Vec<String>,
}

/// Chooses among everything that `reports` list. First what is loaded, because it answers at once; then the largest that
/// fits `machine`. A model that counts as hosted is taken only where no other is. Models that only make vectors, and those whose
/// server wants a key, are not considered. None when nothing is left.
pub fn recommend(reports: &[Report], machine: &Machine) -> Option<Recommendation> {
    let all: Vec<Candidate<'_>> = reports.iter().flat_map(|report| candidates_of(report, machine)).collect();
    let (candidates, hosted): (Vec<_>, Vec<_>) = all.into_iter().partition(|candidate| candidate.hosted.is_none());
    if candidates.is_empty() {
        return hosted.first().map(Candidate::as_hosted);
    }
    let loaded = candidates.iter().filter(|candidate| candidate.is_loaded()).reduce(larger);
    let fitting = candidates.iter().filter(|candidate| candidate.fits != Some(false)).reduce(larger);
    let smallest = || candidates.iter().reduce(|one, other| if size(other.model) < size(one.model) { other } else { one });
    let chosen = loaded.or(fitting).or_else(smallest)?;
    let larger_on_disk =
        fitting.filter(|other| loaded.is_some() && size(other.model) > size(chosen.model) && other.model.id != chosen.model.id);
    Some(Recommendation {
        url: chosen.report.url.clone(),
        model: chosen.model.id.clone(),
        hosted: None,
        why: chosen.why(machine),
        warnings: chosen.warnings(larger_on_disk),
    })
}

struct Candidate<'a> {
    report: &'a Report,
    model: &'a ServerModel,
    hosted: Option<WhyHosted>,
    /// None where it is unknown, and for servers on other machines, whose memory we cannot see.
    fits: Option<bool>,
}

fn candidates_of<'a>(report: &'a Report, machine: &Machine) -> Vec<Candidate<'a>> {
    match report.state {
        ServerState::Up | ServerState::Loading { .. } => {}
        ServerState::NeedsKey | ServerState::KeyRefused | ServerState::Failing { .. } => return Vec::new(),
    }
    let Ok(url) = Url::parse(&report.url) else { return Vec::new() };
    let usable = report.models.iter().filter(|model| model.converses());
    usable
        .map(|model| {
            let on_device = model_residency(&url, report, &model.id) == Residency::Device;
            let fits = if on_device { machine.fits(model) } else { None };
            Candidate { report, model, hosted: why_hosted(&url, report, &model.id), fits }
        })
        .collect()
}

/// Of two candidates the larger; of two equal ones the first.
fn larger<'a, 'b>(one: &'b Candidate<'a>, other: &'b Candidate<'a>) -> &'b Candidate<'a> {
    if size(other.model) > size(one.model) { other } else { one }
}

/// Orders models by size: parameters, and bytes where those are not known (4.5 bits per weight being usual).
fn size(model: &ServerModel) -> f64 {
    let by_bytes = model.weights.size_bytes.map(|bytes| bytes as f64 * 8.0 / 4.5 / 1e9);
    model.weights.parameters.or(by_bytes).unwrap_or(0.0)
}

impl Candidate<'_> {
    /// What such models are made of is not told: there is nothing to compare.
    fn as_hosted(&self) -> Recommendation {
        Recommendation {
            url: self.report.url.clone(),
            model: self.model.id.clone(),
            hosted: self.hosted.clone(),
            why: format!("the first that {} lists", self.report.kind.name()),
            warnings: self.hosted.iter().map(ToString::to_string).collect(),
        }
    }

    fn is_loaded(&self) -> bool {
        self.model.loaded == Some(true)
    }

    fn why(&self, machine: &Machine) -> String {
        let server = self.report.kind.name();
        let parameters = self.model.weights.parameters.map(|billions| {
            if billions < 1.0 {
                format!("{:.0} million parameters", billions * 1000.0)
            } else {
                format!("{billions:.1} billion parameters")
            }
        });
        let size = match (parameters, &self.model.weights.quantization) {
            (Some(parameters), Some(quantization)) => format!(" ({parameters}, {quantization})"),
            (Some(parameters), None) => format!(" ({parameters})"),
            (None, Some(quantization)) => format!(" ({quantization})"),
            (None, None) => String::new(),
        };
        let reason = if self.is_loaded() {
            format!("{server} has it loaded, so it answers at once")
        } else if self::size(self.model) == 0.0 {
            format!("the first that {server} lists; it does not say how large its models are")
        } else if self.fits == Some(true) {
            format!("the largest at {server} that fits into {}", room_of(machine))
        } else if self.fits == Some(false) {
            format!("the smallest that {server} has; larger ones fit even less")
        } else if machine.room().is_none() || machine.card.is_some() {
            format!("the largest that {server} lists; whether it fits this machine is not known")
        } else {
            format!("the largest that {server} lists")
        };
        format!("{reason}{size}")
    }

    fn warnings(&self, larger: Option<&Candidate<'_>>) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some((window, change)) = self.small_window() {
            warnings.push(format!("its window is only {} tokens, which leaves little room for a conversation; {change}", grouped(window)));
        }
        if let Some(bits) = self.model.weights.bits_per_weight.filter(|bits| *bits < HEAVY_BITS) {
            let alternative = if self.model.weights.variants.is_empty() {
                "a 4-bit variant of it, or of a smaller model, answers better"
            } else {
                "another variant of it is on the disk"
            };
            warnings.push(format!(
                "it is heavily quantised ({bits:.1} bits per weight), which costs accuracy first in tool calls and long answers; {alternative}"
            ));
        }
        if self.fits == Some(false) {
            let needed = memory_needed(self.model).map(gigabytes).unwrap_or_default();
            warnings.push(format!("it needs about {needed}, more than this machine can give; expect it to be very slow or to fail"));
        }
        if self.model.loaded == Some(false) && !self.model.loading {
            warnings.push("it is not loaded yet; the first answer waits for that".to_owned());
        }
        if let Some(larger) = larger {
            warnings.push(format!("{} at {} is larger and would fit too, once it is loaded", larger.model.id, larger.report.kind.name()));
        }
        warnings
    }

    fn small_window(&self) -> Option<(u32, String)> {
        let window = self.model.window.filter(|window| *window < SMALL_WINDOW)?;
        let wanted = self.model.max_window.unwrap_or(GOOD_WINDOW).min(GOOD_WINDOW);
        if wanted <= window {
            return Some((window, "the model takes no more, so choose another one for long conversations".to_owned()));
        }
        let change = raise_window(self.report.kind, &self.model.id, wanted);
        Some((window, change.unwrap_or_else(|| "its operator can start it with a larger one".to_owned())))
    }
}

fn room_of(machine: &Machine) -> String {
    match (machine.video_bytes, machine.memory_bytes) {
        (Some(video), _) if Some(video) >= machine.memory_bytes => format!("{} of video memory", gigabytes(video)),
        (_, Some(memory)) => format!("{} of memory", gigabytes(memory)),
        (Some(video), None) => format!("{} of video memory", gigabytes(video)),
        (None, None) => "this machine".to_owned(),
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.0} GB", (bytes as f64 / 1e9).max(1.0))
}
