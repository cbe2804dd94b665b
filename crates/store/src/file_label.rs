//! Whose the files of a workspace are. A label stands on a place and on a content: a foreign text stays foreign when a
//! command copied it elsewhere, and a foreign file stays foreign when a part of it was changed behind our back.

use krabba_types::Label;
use rusqlite::{Connection, Row, Transaction, params};

use crate::event::{from_json, to_json};
use crate::store::Promise;
use crate::{Store, StoreError};

/// Whose a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLabel {
    /// Where, relative to the workspace.
    pub path: String,
    /// A hash of the content.
    pub content: String,
    /// Whose it is.
    pub label: Label,
}

impl Store {
    /// Notes whose the content is that is about to be written. On the disk when this returns, so that a crash between the two
    /// leaves no foreign text without its label.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn label_file(&self, workspace: &str, file: &FileLabel) -> Result<(), StoreError> {
        self.label_files(workspace, std::slice::from_ref(file))
    }

    /// The same of several files, all or none.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn label_files(&self, workspace: &str, files: &[FileLabel]) -> Result<(), StoreError> {
        self.write(Promise::OnDisk, |transaction| insert(transaction, workspace, files))
    }

    /// The same of what `make` makes of that which was noted last about each place whose name begins with `prefix`. Nobody writes in
    /// between.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn label_files_after(
        &self,
        workspace: &str,
        prefix: &str,
        make: impl FnOnce(Vec<FileLabel>) -> Vec<FileLabel>,
    ) -> Result<(), StoreError> {
        self.write(Promise::OnDisk, |transaction| insert(transaction, workspace, &make(below(transaction, workspace, prefix)?)))
    }

    /// What was noted last about a place; whatever its content is by now.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn label_of_path(&self, workspace: &str, path: &str) -> Result<Option<FileLabel>, StoreError> {
        let mut rows = self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT path, content, label FROM file_label WHERE workspace = ?1 AND path = ?2 ORDER BY written DESC LIMIT 1",
                )?
                .query_map(params![workspace, path], of_row)?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(rows.pop())
    }

    /// What was noted last about each place whose name begins with `prefix`, by place.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn labels_below(&self, workspace: &str, prefix: &str) -> Result<Vec<FileLabel>, StoreError> {
        self.read(|connection| below(connection, workspace, prefix))
    }

    /// All that was ever noted about a content, wherever it was written.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn labels_of_content(&self, workspace: &str, content: &str) -> Result<Vec<FileLabel>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT path, content, label FROM file_label WHERE workspace = ?1 AND content = ?2 ORDER BY written")?
                .query_map(params![workspace, content], of_row)?
                .collect()
        })
    }

    /// What was noted last about each place, by place.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn labels_of_workspace(&self, workspace: &str) -> Result<Vec<FileLabel>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT path, content, label FROM file_label AS one WHERE workspace = ?1 AND path <> '' AND written =
                     (SELECT MAX(written) FROM file_label WHERE workspace = one.workspace AND path = one.path) ORDER BY path",
                )?
                .query_map([workspace], of_row)?
                .collect()
        })
    }

    /// Forgets what was noted about a place; what it held stays known by its content.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn forget_path(&self, workspace: &str, path: &str) -> Result<(), StoreError> {
        self.write(Promise::Kept, |transaction| {
            transaction
                .execute("UPDATE OR REPLACE file_label SET path = '' WHERE workspace = ?1 AND path = ?2", params![workspace, path])
                .map(drop)
        })
    }

    /// Takes back all that was noted about a place.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn unlabel_path(&self, workspace: &str, path: &str) -> Result<(), StoreError> {
        self.write(Promise::Kept, |transaction| {
            transaction.execute("DELETE FROM file_label WHERE workspace = ?1 AND path = ?2", params![workspace, path]).map(drop)
        })
    }
}

fn insert(transaction: &Transaction<'_>, workspace: &str, files: &[FileLabel]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO file_label (workspace, path, content, label, written)
         VALUES (?1, ?2, ?3, ?4, (SELECT COALESCE(MAX(written), 0) + 1 FROM file_label))
         ON CONFLICT (workspace, path, content) DO UPDATE SET label = excluded.label, written = excluded.written",
    )?;
    files.iter().try_for_each(|file| insert.execute(params![workspace, file.path, file.content, to_json(&file.label)?]).map(drop))
}

fn below(connection: &Connection, workspace: &str, prefix: &str) -> rusqlite::Result<Vec<FileLabel>> {
    connection
        .prepare_cached(
            "SELECT path, content, label FROM file_label AS one
             WHERE workspace = ?1 AND path >= ?2 AND path < ?2 || char(0x10ffff) AND written =
             (SELECT MAX(written) FROM file_label WHERE workspace = one.workspace AND path = one.path) ORDER BY path",
        )?
        .query_map(params![workspace, prefix], of_row)?
        .collect()
}

fn of_row(row: &Row<'_>) -> rusqlite::Result<FileLabel> {
    Ok(FileLabel { path: row.get(0)?, content: row.get(1)?, label: from_json(row, 2)? })
}
