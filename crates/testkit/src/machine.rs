//! The machine under a scripted server: its start, the models in its memory, its slots and what they have cached.
//!
//! There is one state, changed in one place at a time, and no task: whether a model is ready follows from the state and
//! the clock. A model is *resident* from the start of its load. With `one_model`, a load waits until the requests of the
//! resident model are through and then takes its place. A slot remembers the text of its last prompt and answer, so that
//! the number of cached tokens is the real common prefix, and an unstable prompt shows. Nothing here knows HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use krabba_types::ServerKind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use crate::prompt::tokens;
use crate::script::{MachineScript, WhenFull};
use crate::{Model, Script};

/// Slots whose cache is remembered on a machine without a limit.
const MAX_REMEMBERED_SLOTS: usize = 256;

#[derive(Debug)]
pub(crate) struct Machine {
    script: MachineScript,
    models: Vec<Model>,
    slots: Option<Arc<Semaphore>>,
    boot_ends: Option<Instant>,
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    booted: bool,
    residents: BTreeMap<String, Resident>,
    slots: Vec<Slot>,
    loads: Vec<String>,
    generations: u64,
    working: usize,
    most_working: usize,
}

#[derive(Debug)]
struct Resident {
    ready: Ready,
    window: u32,
    in_use: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Now,
    At(Instant),
    OnRelease,
}

#[derive(Debug, Default)]
struct Slot {
    busy: bool,
    model: String,
    text: String,
}

/// A model as it stands now.
#[derive(Clone, Debug)]
pub(crate) struct ModelNow {
    pub(crate) model: Model,
    pub(crate) loaded: bool,
    pub(crate) loading: bool,
    /// With which it is loaded, or would be.
    pub(crate) window: u32,
}

/// All slots are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// What a load has to wait for.
enum Approach {
    Ready,
    Until(Instant),
    Change,
}

/// What happens to a resident model with another window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// It stays as it is; the number is for a load that is needed anyway.
    AtLoad(u32),
    /// It is loaded again.
    Exactly(u32),
}

impl Window {
    fn tokens(self) -> u32 {
        match self {
            Self::AtLoad(tokens) | Self::Exactly(tokens) => tokens,
        }
    }

    fn fits(self, resident: u32) -> bool {
        match self {
            Self::AtLoad(_) => true,
            Self::Exactly(tokens) => tokens == resident,
        }
    }
}

impl Machine {
    pub(crate) fn new(script: &Script) -> Arc<Self> {
        let boot_ends = script.machine.boot.and_then(|boot| boot.for_ms).map(|ms| Instant::now() + Duration::from_millis(ms));
        let residents = script.models.iter().filter(|model| model.loaded).map(|model| {
            let resident = Resident { ready: Ready::Now, window: model.window, in_use: 0 };
            (model.id.clone(), resident)
        });
        let state = State { booted: script.machine.boot.is_none(), residents: residents.collect(), ..State::default() };
        // Ollama loads a model again for another `num_ctx`, always.
        let window_reloads = script.machine.window_reloads || script.server == ServerKind::Ollama;
        Arc::new(Self {
            script: MachineScript { window_reloads, ..script.machine.clone() },
            models: script.models.clone(),
            slots: script.machine.slots.map(|slots| Arc::new(Semaphore::new(slots))),
            boot_ends,
            state: watch::Sender::new(state),
        })
    }

    pub(crate) fn script(&self) -> &MachineScript {
        &self.script
    }

    pub(crate) fn model(&self, id: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.id == id)
    }

    pub(crate) fn models(&self) -> Vec<ModelNow> {
        let state = self.state.borrow();
        let now = Instant::now();
        self.models
            .iter()
            .map(|model| {
                let resident = state.residents.get(&model.id);
                let loaded = resident.is_some_and(|resident| resident.ready.is_over(now));
                let window = self.reported_window(model, resident.map_or(model.window, |resident| resident.window), state.generations);
                ModelNow { model: model.clone(), loaded, loading: resident.is_some() && !loaded, window }
            })
            .collect()
    }

    fn reported_window(&self, model: &Model, configured: u32, generations: u64) -> u32 {
        match model.later_window {
            Some(later) if later.from <= generations => later.window,
            _ => configured,
        }
    }

    /// The window that a request has its model loaded with, given the `num_ctx` that it asks for.
    pub(crate) fn wanted_window(&self, model: &Model, asked: Option<u32>) -> Window {
        if self.script.window_reloads {
            Window::Exactly(asked.map_or(model.window, |asked| asked.min(model.max_window)))
        } else {
            Window::AtLoad(model.window)
        }
    }

    /// The window that really holds for a request, given the `num_ctx` that it asks for.
    pub(crate) fn true_window(&self, model: &Model, asked: Option<u32>, number: u64) -> u32 {
        match (model.true_window, model.later_window) {
            (_, Some(later)) if later.from <= number => later.window,
            (Some(window), _) => window,
            (None, _) => match self.wanted_window(model, asked) {
                Window::Exactly(tokens) => tokens,
                Window::AtLoad(tokens) => self.state.borrow().residents.get(&model.id).map_or(tokens, |resident| resident.window),
            },
        }
    }

    pub(crate) fn is_booted(&self) -> bool {
        self.state.borrow().booted || self.boot_ends.is_some_and(|end| end <= Instant::now())
    }

    pub(crate) async fn wait_boot(&self) {
        if self.is_booted() {
            return;
        }
        let mut changes = self.state.subscribe();
        let released = changes.wait_for(|state| state.booted);
        match self.boot_ends {
            Some(end) => tokio::select! {
                _ = released => {}
                () = tokio::time::sleep_until(end) => {}
            },
            None => {
                let _ = released.await;
            }
        }
    }

    /// Ends the start and every load that waits for the test.
    pub(crate) fn release(&self) {
        self.state.send_modify(|state| {
            state.booted = true;
            for resident in state.residents.values_mut().filter(|resident| resident.ready == Ready::OnRelease) {
                resident.ready = Ready::Now;
            }
        });
    }

    /// The number of the next generation request, counted from 1.
    pub(crate) fn next_generation(&self) -> u64 {
        let mut number = 0;
        self.state.send_modify(|state| {
            state.generations += 1;
            number = state.generations;
        });
        number
    }

    pub(crate) fn is_loaded(&self, model: &str) -> bool {
        let state = self.state.borrow();
        state.residents.get(model).is_some_and(|resident| resident.ready.is_over(Instant::now()))
    }

    pub(crate) fn loads(&self) -> Vec<String> {
        self.state.borrow().loads.clone()
    }

    pub(crate) fn max_working(&self) -> usize {
        self.state.borrow().most_working
    }

    pub(crate) fn busy_slots(&self) -> usize {
        self.state.borrow().slots.iter().filter(|slot| slot.busy).count()
    }

    pub(crate) fn total_slots(&self) -> Option<usize> {
        self.script.slots
    }

    pub(crate) fn unload(&self, model: &str) {
        self.state.send_modify(|state| {
            state.residents.remove(model);
        });
    }

    /// Begins a load without waiting for it.
    pub(crate) fn begin_load(&self, model: &str, window: Window) {
        self.state.send_if_modified(|state| match state.residents.get(model) {
            Some(_) => false,
            None => {
                state.load(model, window.tokens(), &self.script);
                true
            }
        });
    }

    /// Loads a model and waits until it is ready.
    pub(crate) async fn load(&self, model: &str, window: Window) {
        self.reach(model, window, |_| {}).await;
    }

    /// Waits for a slot, or refuses, as the script says; then for the model to be in memory.
    pub(crate) async fn admit(self: &Arc<Self>, model: &str, window: Window, prompt: &str) -> Result<Place, Full> {
        let permit = match (&self.slots, self.script.when_full) {
            (None, _) => None,
            (Some(slots), WhenFull::Wait) => Arc::clone(slots).acquire_owned().await.ok(),
            (Some(slots), WhenFull::Unavailable | WhenFull::TooMany) => Some(Arc::clone(slots).try_acquire_owned().map_err(|_| Full)?),
        };
        let mut taken = (0, 0);
        self.reach(model, window, |state| taken = state.take_slot(model, prompt)).await;
        let (slot, cached) = taken;
        Ok(Place { machine: Arc::clone(self), model: model.to_owned(), slot, cached, _permit: permit })
    }

    async fn reach(&self, model: &str, window: Window, mut then: impl FnMut(&mut State)) {
        let known = self.model(model).is_some();
        let mut changes = self.state.subscribe();
        loop {
            changes.mark_unchanged();
            let mut step = Approach::Change;
            self.state.send_if_modified(|state| {
                let (next, changed) = if known { state.approach(model, window, &self.script) } else { (Approach::Ready, false) };
                step = next;
                if matches!(step, Approach::Ready) {
                    then(state);
                }
                changed || matches!(step, Approach::Ready)
            });
            match step {
                Approach::Ready => return,
                Approach::Until(at) => tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    _ = changes.changed() => {}
                },
                Approach::Change => {
                    let _ = changes.changed().await;
                }
            }
        }
    }
}

impl State {
    /// One step towards having the model in memory, and whether it changed anything.
    fn approach(&mut self, model: &str, window: Window, script: &MachineScript) -> (Approach, bool) {
        let now = Instant::now();
        match self.residents.get(model) {
            Some(resident) if window.fits(resident.window) => match resident.ready {
                Ready::Now => (Approach::Ready, false),
                Ready::At(at) if at <= now => (Approach::Ready, false),
                Ready::At(at) => (Approach::Until(at), false),
                Ready::OnRelease => (Approach::Change, false),
            },
            Some(resident) if resident.in_use > 0 => (Approach::Change, false),
            None if script.one_model && self.residents.values().any(|resident| resident.in_use > 0) => (Approach::Change, false),
            Some(_) | None => {
                self.load(model, window.tokens(), script);
                (Approach::Change, true)
            }
        }
    }

    fn load(&mut self, model: &str, window: u32, script: &MachineScript) {
        if script.one_model {
            self.residents.clear();
        }
        let ready = match (script.load.held, script.load.ms) {
            (true, _) => Ready::OnRelease,
            (false, 0) => Ready::Now,
            (false, ms) => Ready::At(Instant::now() + Duration::from_millis(ms)),
        };
        self.residents.insert(model.to_owned(), Resident { ready, window, in_use: 0 });
        self.loads.push(model.to_owned());
        for slot in self.slots.iter_mut().filter(|slot| slot.model == model || script.one_model) {
            slot.text.clear();
        }
    }

    /// The free slot with the longest common prefix, as llama.cpp chooses it, and the length of that prefix in bytes.
    fn take_slot(&mut self, model: &str, prompt: &str) -> (usize, usize) {
        if let Some(resident) = self.residents.get_mut(model) {
            resident.in_use += 1;
        }
        self.working += 1;
        self.most_working = self.most_working.max(self.working);
        let free = self.slots.iter().enumerate().filter(|(_, slot)| !slot.busy);
        let best = free.map(|(index, slot)| (slot.common_prefix(model, prompt), index)).max_by_key(|(common, _)| *common);
        let (common, index) = match best {
            Some((common, index)) if common > 0 || self.slots.len() >= MAX_REMEMBERED_SLOTS => (common, index),
            _ => {
                self.slots.push(Slot::default());
                (0, self.slots.len() - 1)
            }
        };
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Slot { busy: true, model: model.to_owned(), text: prompt.to_owned() };
        }
        (index, common)
    }
}

impl Slot {
    fn common_prefix(&self, model: &str, prompt: &str) -> usize {
        if self.model != model {
            return 0;
        }
        self.text.bytes().zip(prompt.bytes()).take_while(|(left, right)| left == right).count()
    }
}

impl Ready {
    fn is_over(self, now: Instant) -> bool {
        match self {
            Self::Now => true,
            Self::At(at) => at <= now,
            Self::OnRelease => false,
        }
    }
}

/// A request's place on the machine, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    machine: Arc<Machine>,
    model: String,
    slot: usize,
    cached: usize,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// Tokens of the prompt that the slot still had.
    pub(crate) fn cached_tokens(&self) -> u64 {
        // A token that is only partly common is not cached.
        u64::try_from(self.cached / 4).unwrap_or(u64::MAX)
    }

    /// Tokens of the prompt that have to be read.
    pub(crate) fn unread_tokens(&self, prompt: &str) -> u64 {
        tokens(prompt.len()).saturating_sub(self.cached_tokens())
    }

    /// Remembers what was generated, which is in the slot's cache too.
    pub(crate) fn generated(&self, text: &str) {
        self.machine.state.send_modify(|state| {
            if let Some(slot) = state.slots.get_mut(self.slot) {
                slot.text.push_str(text);
            }
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.machine.state.send_modify(|state| {
            state.working -= 1;
            if let Some(slot) = state.slots.get_mut(self.slot) {
                slot.busy = false;
            }
            if let Some(resident) = state.residents.get_mut(&self.model) {
                resident.in_use = resident.in_use.saturating_sub(1);
            }
        });
    }
}
