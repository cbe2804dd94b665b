//! The tools of MCP servers as the owner knows them. What a server offered when it was first seen counts as known, since the owner had
//! just configured it; whatever it offers later in another form, or besides, waits for their word.

use std::collections::BTreeMap;

use rusqlite::{Row, Transaction, params};

use crate::store::Promise;
use crate::{Store, StoreError};

/// A tool of a server. The definitions are texts that the store compares and does not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpTool {
    /// The server's key in the configuration.
    pub server: String,
    /// The tool's name at the server.
    pub tool: String,
    /// What the owner knows.
    pub approved: Option<String>,
    /// What the server offers instead.
    pub waiting: Option<String>,
}

impl Store {
    /// All tools of all servers, by server and name.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn mcp_tools(&self) -> Result<Vec<McpTool>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT server, tool, approved, waiting FROM mcp_tool WHERE tool <> '' ORDER BY server, tool")?
                .query_map([], of_row)?
                .collect()
        })
    }

    /// Whether a server was ever seen.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn knows_mcp_server(&self, server: &str) -> Result<bool, StoreError> {
        self.read(|connection| known(connection, server))
    }

    /// Notes what a server offers now, by name, and gives back what stands about its tools after that.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn see_mcp_tools(&self, server: &str, offered: &BTreeMap<String, String>) -> Result<Vec<McpTool>, StoreError> {
        self.write(Promise::OnDisk, |transaction| {
            let first = !known(transaction, server)?;
            if first {
                transaction.execute("INSERT INTO mcp_tool (server, tool) VALUES (?1, '')", [server])?;
            }
            for (tool, definition) in offered {
                let insert = if first {
                    "INSERT INTO mcp_tool (server, tool, approved) VALUES (?1, ?2, ?3)"
                } else {
                    "INSERT INTO mcp_tool (server, tool, waiting) VALUES (?1, ?2, ?3) ON CONFLICT (server, tool) DO UPDATE SET
                     told = told AND waiting IS excluded.waiting,
                     waiting = CASE WHEN approved IS excluded.waiting THEN NULL ELSE excluded.waiting END"
                };
                transaction.prepare_cached(insert)?.execute(params![server, tool, definition])?;
            }
            let rows = rows(transaction, server)?;
            for row in rows.iter().filter(|row| row.waiting.is_some() && !offered.contains_key(&row.tool)) {
                transaction
                    .execute("UPDATE mcp_tool SET waiting = NULL, told = 0 WHERE server = ?1 AND tool = ?2", params![server, row.tool])?;
            }
            self::rows(transaction, server)
        })
    }

    /// The owner's yes to a definition that waits; whether it still did.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn approve_mcp_tool(&self, server: &str, tool: &str, definition: &str) -> Result<bool, StoreError> {
        self.write(Promise::OnDisk, |transaction| {
            let changed = transaction.execute(
                "UPDATE mcp_tool SET approved = waiting, waiting = NULL, told = 0 WHERE server = ?1 AND tool = ?2 AND waiting = ?3",
                params![server, tool, definition],
            )?;
            Ok(changed > 0)
        })
    }

    /// What waits and was not told yet; told from now on.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn tell_mcp_tools(&self) -> Result<Vec<McpTool>, StoreError> {
        self.write(Promise::Kept, |transaction| {
            transaction
                .prepare_cached(
                    "UPDATE mcp_tool SET told = 1 WHERE told = 0 AND waiting IS NOT NULL RETURNING server, tool, approved, waiting",
                )?
                .query_map([], of_row)?
                .collect()
        })
    }
}

fn known(connection: &rusqlite::Connection, server: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM mcp_tool WHERE server = ?1 AND tool = ''")?.exists([server])
}

fn rows(transaction: &Transaction<'_>, server: &str) -> rusqlite::Result<Vec<McpTool>> {
    transaction
        .prepare_cached("SELECT server, tool, approved, waiting FROM mcp_tool WHERE server = ?1 AND tool <> '' ORDER BY tool")?
        .query_map([server], of_row)?
        .collect()
}

fn of_row(row: &Row<'_>) -> rusqlite::Result<McpTool> {
    Ok(McpTool { server: row.get(0)?, tool: row.get(1)?, approved: row.get(2)?, waiting: row.get(3)? })
}
