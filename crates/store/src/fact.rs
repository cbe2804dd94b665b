//! Facts: what was learned about a route and must not be learned the hard way again (its real window, fields that it
//! refuses, the dialect that works).

use krabba_types::{Fact, FactSource, Timestamp};
use rusqlite::{Row, params};
use serde_json::Value;

use crate::event::{from_json, to_json};
use crate::store::Promise;
use crate::{Store, StoreError};

/// A fact as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredFact {
    /// The key of the route, as its owner spells it.
    pub route: String,
    /// What the fact is about (`window`, `dropped`).
    pub name: String,
    /// The value with its source and time.
    pub fact: Fact<Value>,
}

impl Store {
    /// Keeps a fact; the latest value of a name replaces the one before.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn remember_fact(&self, route: &str, name: &str, value: &Value, source: FactSource, at: Timestamp) -> Result<(), StoreError> {
        self.write(Promise::Kept, |transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO fact (route, name, value, source, at) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (route, name) DO UPDATE SET value = ?3, source = ?4, at = ?5",
                )?
                .execute(params![route, name, value.to_string(), to_json(&source)?, at.0])
                .map(drop)
        })
    }

    /// The facts of a route, by name.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn facts(&self, route: &str) -> Result<Vec<StoredFact>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT route, name, value, source, at FROM fact WHERE route = ?1 ORDER BY name")?
                .query_map([route], fact_of_row)?
                .collect()
        })
    }

    /// The facts of all routes, by route and name: one query at the start instead of one per route.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn all_facts(&self) -> Result<Vec<StoredFact>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT route, name, value, source, at FROM fact ORDER BY route, name")?
                .query_map([], fact_of_row)?
                .collect()
        })
    }

    /// Forgets one fact.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn forget_fact(&self, route: &str, name: &str) -> Result<(), StoreError> {
        self.write(Promise::Kept, |transaction| {
            transaction.execute("DELETE FROM fact WHERE route = ?1 AND name = ?2", params![route, name]).map(drop)
        })
    }

    /// Forgets all facts of a route.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn forget_facts(&self, route: &str) -> Result<(), StoreError> {
        self.write(Promise::Kept, |transaction| transaction.execute("DELETE FROM fact WHERE route = ?1", [route]).map(drop))
    }
}

fn fact_of_row(row: &Row<'_>) -> rusqlite::Result<StoredFact> {
    Ok(StoredFact {
        route: row.get(0)?,
        name: row.get(1)?,
        fact: Fact::new(from_json(row, 2)?, from_json(row, 3)?, Timestamp(row.get(4)?)),
    })
}
