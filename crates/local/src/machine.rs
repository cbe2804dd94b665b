//! How much model fits into this machine.

use std::fs;
use std::path::Path;

use crate::ServerModel;

/// Memory of this machine, as far as it can be read without starting a program. Linux only; elsewhere nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Machine {
    /// Bytes of RAM.
    pub memory_bytes: Option<u64>,
    /// Bytes of video memory over all cards, where the driver tells (`amdgpu` does).
    pub video_bytes: Option<u64>,
    /// The name of a graphics card whose memory cannot be read (NVIDIA's driver tells it to `nvidia-smi` alone).
    pub card: Option<String>,
}

/// Of RAM, the share that a model may take beside the system and other programs.
const MEMORY_SHARE: f64 = 0.65;
/// Of video memory likewise: screens and other programs live there too.
const VIDEO_SHARE: f64 = 0.92;
/// What a model needs beside its weights: key-value cache of a modest window and buffers, as a share and at least.
const OVERHEAD_SHARE: f64 = 0.12;
const OVERHEAD_BYTES: u64 = 512 * 1024 * 1024;

impl Machine {
    /// Reads `/proc` and `/sys`.
    pub fn detect() -> Self {
        Self::detect_under(Path::new("/"))
    }

    /// The same below another root directory.
    pub(crate) fn detect_under(root: &Path) -> Self {
        let memory = fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default();
        Self {
            memory_bytes: total_memory(&memory),
            video_bytes: video_memory(&root.join("sys/class/drm")),
            card: nvidia_card(&root.join("proc/driver/nvidia/gpus")),
        }
    }

    /// Whether `model` fits; none where either side is unknown. A model may be spread over video memory and RAM, slowly; what
    /// counts is the larger of the two.
    pub fn fits(&self, model: &ServerModel) -> Option<bool> {
        Some(memory_needed(model)? <= self.room()?)
    }

    /// Bytes that a model may take.
    pub fn room(&self) -> Option<u64> {
        let share = |bytes: Option<u64>, share: f64| bytes.map(|bytes| (bytes as f64 * share) as u64);
        share(self.memory_bytes, MEMORY_SHARE).max(share(self.video_bytes, VIDEO_SHARE))
    }
}

/// Bytes that `model` takes when loaded with a modest window; none when its size is unknown.
pub(crate) fn memory_needed(model: &ServerModel) -> Option<u64> {
    let weights = model.weights.bytes()?;
    let overhead = (weights as f64 * OVERHEAD_SHARE) as u64;
    Some(weights.saturating_add(overhead.max(OVERHEAD_BYTES)))
}

/// `MemTotal` of `/proc/meminfo`, which counts in units of 1,024 bytes.
pub(crate) fn total_memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

fn video_memory(cards: &Path) -> Option<u64> {
    let entries = fs::read_dir(cards).ok()?;
    let sizes = entries
        .flatten()
        .filter(|entry| is_card(&entry.file_name().to_string_lossy()))
        .filter_map(|entry| fs::read_to_string(entry.path().join("device/mem_info_vram_total")).ok()?.trim().parse::<u64>().ok());
    sizes.reduce(u64::saturating_add).filter(|bytes| *bytes > 0)
}

/// `card0`, but not its outputs (`card0-HDMI-A-1`).
fn is_card(name: &str) -> bool {
    name.strip_prefix("card").is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn nvidia_card(gpus: &Path) -> Option<String> {
    let entries = fs::read_dir(gpus).ok()?;
    entries.flatten().find_map(|entry| {
        let text = fs::read_to_string(entry.path().join("information")).ok()?;
        let model = text.lines().find_map(|line| line.strip_prefix("Model:"))?.trim();
        (!model.is_empty()).then(|| model.to_owned())
    })
}
