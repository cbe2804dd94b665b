//! All servers of an agent.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use krabba_net::{Egress, HttpClient};
use krabba_sandbox::Sandbox;
use krabba_store::{Store, StoreError};
use krabba_tool::Catalogue;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::client::Client;
use crate::name::offered;
use crate::pins::Pins;
use crate::tool::ForeignTool;
use crate::{Definition, McpError, Pin, ServerSettings, Standing, Transport};

/// The servers of an agent. Their programs end with [`Servers::close`], or when this is dropped.
#[derive(Debug)]
pub struct Servers {
    clients: Vec<Arc<Client>>,
    pins: Pins,
    /// Those that have not begun yet.
    late: Mutex<Vec<AbortOnDropHandle<Result<(), McpError>>>>,
}

/// Where tools are put that the owner knows, and taken away that are not what they were.
#[derive(Debug)]
pub(crate) struct Shelf {
    pins: Pins,
    /// Weak, since its tools lead back here.
    catalogue: Weak<Catalogue>,
    names: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    taken: HashSet<String>,
    given: HashMap<(String, String), String>,
}

impl Servers {
    /// Puts the tools that are known into `catalogue`.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open(
        settings: Vec<ServerSettings>,
        store: Arc<Store>,
        catalogue: &Arc<Catalogue>,
        sandbox: Arc<Sandbox>,
    ) -> Result<Self, StoreError> {
        let egress = Egress::none();
        for server in &settings {
            if let Transport::Http { url, .. } = &server.transport {
                egress.allow(url);
            }
        }
        let (http, pins) = (HttpClient::new(egress), Pins::new(store));
        let shelf = Arc::new(Shelf { pins: pins.clone(), catalogue: Arc::downgrade(catalogue), names: Mutex::default() });
        let client = |server| Arc::new(Client::new(server, Arc::clone(&sandbox), http.clone(), Arc::clone(&shelf)));
        let clients: Vec<Arc<Client>> = settings.into_iter().map(client).collect();
        let known = pins.all()?;
        for client in &clients {
            shelf.put(client, known.iter().filter(|pin| pin.server == client.settings.id));
        }
        Ok(Self { clients, pins, late: Mutex::default() })
    }

    /// Asks servers that were never seen what they offer. What is wrong with those is given back, and with what the owner declared of all.
    /// One that takes longer than `patience` to begin is waited for in the background.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn meet(&self, patience: Duration) -> Result<Vec<McpError>, StoreError> {
        let mut strangers = Vec::new();
        for client in &self.clients {
            if !self.pins.knows(&client.settings.id)? {
                strangers.push(self.meet_one(Arc::clone(client), patience));
            }
        }
        let mut problems: Vec<McpError> = join_all(strangers).await.into_iter().filter_map(Result::err).collect();
        problems.extend(misdeclared(&self.clients, &self.pins.all()?));
        Ok(problems)
    }

    async fn meet_one(&self, client: Arc<Client>, patience: Duration) -> Result<(), McpError> {
        let server = client.settings.id.clone();
        let mut looking = AbortOnDropHandle::new(tokio::spawn(async move { client.look().await }));
        match timeout(patience, &mut looking).await {
            Ok(looked) => looked.unwrap_or(Err(McpError::Stopped)),
            Err(_) => {
                self.late.lock().unwrap_or_else(PoisonError::into_inner).push(looking);
                Err(McpError::Late { server, patience })
            }
        }
    }

    /// What became wrong with those that were waited for in the background. Told once.
    pub fn failed_late(&self) -> Vec<McpError> {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let (over, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut *late).into_iter().partition(|looking| looking.is_finished());
        *late = waiting;
        over.into_iter().filter_map(|looking| looking.now_or_never()?.ok()?.err()).collect()
    }

    /// Asks every server what it offers now. What is wrong is told by server.
    pub async fn look(&self) -> BTreeMap<String, McpError> {
        let looked = join_all(self.clients.iter().map(|client| async { (client.settings.id.clone(), client.look().await) })).await;
        looked.into_iter().filter_map(|(server, looked)| Some((server, looked.err()?))).collect()
    }

    /// The tools of the configured servers, as they are known.
    ///
    /// # Errors
    /// When the store fails.
    pub fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        Ok(self.pins.all()?.into_iter().filter(|pin| self.has(&pin.server)).collect())
    }

    /// The owner's yes to what waits under exactly this pin; whether it still did.
    ///
    /// # Errors
    /// When the store fails.
    pub fn approve(&self, pin: &Pin) -> Result<bool, StoreError> {
        self.pins.approve(pin)
    }

    /// What waits for the owner's word and was not told yet. Told once.
    ///
    /// # Errors
    /// When the store fails.
    pub fn news(&self) -> Result<Vec<Pin>, StoreError> {
        Ok(self.pins.news()?.into_iter().filter(|pin| self.has(&pin.server)).collect())
    }

    /// Which servers these are.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.clients.iter().map(|client| client.settings.id.as_str())
    }

    /// Ends all servers, and waits for that.
    pub async fn close(&self) {
        self.late.lock().unwrap_or_else(PoisonError::into_inner).clear();
        join_all(self.clients.iter().map(|client| client.close())).await;
    }

    fn has(&self, server: &str) -> bool {
        self.clients.iter().any(|client| client.settings.id == server)
    }
}

/// What was declared of tools that they do not have.
fn misdeclared(clients: &[Arc<Client>], pins: &[Pin]) -> Vec<McpError> {
    let named = pins.iter().filter_map(|pin| {
        let client = clients.iter().find(|client| client.settings.id == pin.server)?;
        let names = pin.approved.as_ref()?.lacks(client.settings.critical.get(&pin.tool)?);
        (!names.is_empty()).then(|| McpError::Misdeclared { server: pin.server.clone(), tool: pin.tool.clone(), names })
    });
    named.collect()
}

impl Shelf {
    /// Notes what a server offers, and puts on the shelf what the owner knows of it.
    pub(crate) async fn see(&self, client: &Arc<Client>, offered: &BTreeMap<String, Definition>) -> Result<(), McpError> {
        let (pins, server, seen) = (self.pins.clone(), client.settings.id.clone(), offered.clone());
        let noted = tokio::task::spawn_blocking(move || pins.see(&server, &seen)).await;
        let Ok(noted) = noted else { return Err(McpError::Stopped) };
        self.put(client, noted?.iter());
        Ok(())
    }

    fn put<'a>(&self, client: &Arc<Client>, pins: impl Iterator<Item = &'a Pin>) {
        let Some(catalogue) = self.catalogue.upgrade() else { return };
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        for pin in pins {
            let name = names.of(&pin.server, &pin.tool);
            match &pin.approved {
                Some(definition) if pin.standing == Standing::Approved && client.settings.filter.offers(&pin.tool) => {
                    catalogue.add(Arc::new(ForeignTool::new(name, definition.clone(), Arc::clone(client))));
                }
                Some(_) | None => catalogue.remove(&name),
            }
        }
    }
}

impl Names {
    fn of(&mut self, server: &str, tool: &str) -> String {
        let key = (server.to_owned(), tool.to_owned());
        if let Some(name) = self.given.get(&key) {
            return name.clone();
        }
        let name = offered(server, tool, &mut self.taken);
        self.given.insert(key, name.clone());
        name
    }
}
