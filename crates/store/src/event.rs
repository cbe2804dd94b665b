//! Events: the raw history of a session. Added, read, and never changed, not even those that cannot be read.

use krabba_types::{Label, SessionId, Timestamp, TurnId};
use rusqlite::types::Type;
use rusqlite::{Row, Transaction, params};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::error::is_conversion;
use crate::store::Promise;
use crate::{Store, StoreError};

/// What an event is about. The body's form for each is the agent's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// What the conversation begins with: instructions and tools.
    Opening,
    /// A person said something.
    UserMessage,
    /// The model answered, perhaps in part only.
    AssistantMessage,
    /// The model made a call.
    ToolCall,
    /// A call brought something.
    ToolResult,
    /// A line for the person that no model reads.
    Notice,
    /// The context begins anew from here.
    Compaction,
    /// Work on a turn began.
    TurnStarted,
    /// Work on a turn is over.
    TurnEnded,
    /// A setting of the session changed.
    Setting,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Opening,
        Self::UserMessage,
        Self::AssistantMessage,
        Self::ToolCall,
        Self::ToolResult,
        Self::Notice,
        Self::Compaction,
        Self::TurnStarted,
        Self::TurnEnded,
        Self::Setting,
    ];

    /// The name in the file and in exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::UserMessage => "user-message",
            Self::AssistantMessage => "assistant-message",
            Self::ToolCall => "tool-call",
            Self::ToolResult => "tool-result",
            Self::Notice => "notice",
            Self::Compaction => "compaction",
            Self::TurnStarted => "turn-started",
            Self::TurnEnded => "turn-ended",
            Self::Setting => "setting",
        }
    }
}

/// An event that is to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// The turn it belongs to; `None` for what happens between turns.
    pub turn: Option<TurnId>,
    /// What it is about.
    pub kind: EventKind,
    /// Its content.
    pub body: Value,
    /// Where the content comes from.
    pub label: Label,
    /// When it happened.
    pub at: Timestamp,
}

/// An event that was written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// The session it belongs to.
    pub session: SessionId,
    /// Its place in the session: 1, 2, 3 and so on, without gaps.
    pub seq: u64,
    /// The turn it belongs to; `None` for what happens between turns.
    pub turn: Option<TurnId>,
    /// What it is about.
    pub kind: EventKind,
    /// Its content.
    pub body: Value,
    /// Where the content comes from.
    pub label: Label,
    /// When it happened.
    pub at: Timestamp,
}

/// An event as it is found in the file: it may come from a newer krabba, or its row may be damaged. One that cannot be
/// read does not take the session with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum StoredEvent {
    /// One like any other.
    Readable(Event),
    /// One whose turn, kind, body or label is not what this program knows.
    Unreadable(UnreadableEvent),
}

/// The row of an event that cannot be read, column by column as it stands there. Bytes that are no UTF-8 appear as
/// U+FFFD here; the file keeps them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadableEvent {
    /// The session it belongs to.
    pub session: SessionId,
    /// Its place in the session.
    pub seq: u64,
    /// The turn it belongs to.
    pub turn: Option<TurnId>,
    /// What it is about.
    pub kind: String,
    /// Its content, JSON once.
    pub body: String,
    /// Where the content comes from, JSON once.
    pub label: String,
    /// When it happened.
    pub at: Timestamp,
    /// Why it cannot be read. Tells its line in an export from the others.
    pub unreadable: String,
}

impl StoredEvent {
    /// Its place in the session: 1, 2, 3 and so on, without gaps.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Readable(event) => event.seq,
            Self::Unreadable(event) => event.seq,
        }
    }

    /// The event, when it can be read.
    pub fn readable(&self) -> Option<&Event> {
        match self {
            Self::Readable(event) => Some(event),
            Self::Unreadable(_) => None,
        }
    }
}

impl From<Event> for StoredEvent {
    fn from(event: Event) -> Self {
        Self::Readable(event)
    }
}

impl Store {
    /// Adds one event. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::NoSession`], and what every write may meet.
    pub fn append(&self, session: &SessionId, new: &NewEvent) -> Result<Event, StoreError> {
        let mut events = self.append_all(session, std::slice::from_ref(new))?;
        events.pop().ok_or_else(|| StoreError::NoSession { session: session.clone() })
    }

    /// Adds events as one step: after a crash all of them are there or none. They are on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::NoSession`], and what every write may meet.
    pub fn append_all(&self, session: &SessionId, new: &[NewEvent]) -> Result<Vec<Event>, StoreError> {
        let Some(last) = new.last() else { return Ok(Vec::new()) };
        let events = self.write(Promise::OnDisk, |transaction| {
            let touched = transaction
                .prepare_cached("UPDATE session SET updated_at = MAX(updated_at, ?2) WHERE id = ?1")?
                .execute(params![session.as_str(), last.at.0])?;
            if touched == 0 {
                return Ok(None);
            }
            insert(transaction, session, new).map(Some)
        })?;
        events.ok_or_else(|| StoreError::NoSession { session: session.clone() })
    }

    /// The events whose `seq` is greater than `after_seq`, in order; 0 for all of them. Those that cannot be read are among
    /// them, each in its place. Empty for an unknown session.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn events(&self, session: &SessionId, after_seq: u64) -> Result<Vec<StoredEvent>, StoreError> {
        let after = i64::try_from(after_seq).unwrap_or(i64::MAX);
        self.read(|connection| {
            connection
                .prepare_cached("SELECT seq, turn, kind, body, label, at FROM event WHERE session = ?1 AND seq > ?2 ORDER BY seq")?
                .query_map(params![session.as_str(), after], |row| stored_event_of_row(session, row))?
                .collect()
        })
    }
}

fn insert(transaction: &Transaction<'_>, session: &SessionId, new: &[NewEvent]) -> rusqlite::Result<Vec<Event>> {
    let mut seq: i64 = transaction
        .prepare_cached("SELECT COALESCE(MAX(seq), 0) FROM event WHERE session = ?1")?
        .query_row([session.as_str()], |row| row.get(0))?;
    let mut statement =
        transaction.prepare_cached("INSERT INTO event (session, seq, turn, kind, body, label, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    let mut events = Vec::with_capacity(new.len());
    for event in new {
        seq = seq.saturating_add(1);
        statement.execute(params![
            session.as_str(),
            seq,
            event.turn.as_ref().map(TurnId::as_str),
            event.kind.name(),
            event.body.to_string(),
            to_json(&event.label)?,
            event.at.0,
        ])?;
        events.push(Event {
            session: session.clone(),
            seq: u64::try_from(seq).unwrap_or(0),
            turn: event.turn.clone(),
            kind: event.kind,
            body: event.body.clone(),
            label: event.label.clone(),
            at: event.at,
        });
    }
    Ok(events)
}

fn stored_event_of_row(session: &SessionId, row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    match event_of_row(session, row) {
        Ok(event) => Ok(StoredEvent::Readable(event)),
        Err(error) if is_conversion(&error) => unreadable_event_of_row(session, row, error).map(StoredEvent::Unreadable),
        Err(error) => Err(error),
    }
}

fn event_of_row(session: &SessionId, row: &Row<'_>) -> rusqlite::Result<Event> {
    let kind: String = row.get(2)?;
    Ok(Event {
        session: session.clone(),
        seq: seq_of_row(row)?,
        turn: row.get::<_, Option<String>>(1)?.map(TurnId::new),
        kind: EventKind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(|| unreadable(2, UnknownKind { kind }))?,
        body: from_json(row, 3)?,
        label: from_json(row, 4)?,
        at: Timestamp(row.get(5)?),
    })
}

fn unreadable_event_of_row(session: &SessionId, row: &Row<'_>, error: rusqlite::Error) -> rusqlite::Result<UnreadableEvent> {
    let text = |column| -> rusqlite::Result<Option<String>> {
        Ok(row.get_ref(column)?.as_bytes_or_null()?.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    };
    let unreadable = match error {
        rusqlite::Error::FromSqlConversionFailure(column, _, source) => format!("{}: {source}", row.as_ref().column_name(column)?),
        rusqlite::Error::Utf8Error(column, source) => format!("{}: {source}", row.as_ref().column_name(column)?),
        other => other.to_string(),
    };
    Ok(UnreadableEvent {
        session: session.clone(),
        seq: seq_of_row(row)?,
        turn: text(1)?.map(TurnId::new),
        kind: text(2)?.unwrap_or_default(),
        body: text(3)?.unwrap_or_default(),
        label: text(4)?.unwrap_or_default(),
        at: Timestamp(row.get(5)?),
        unreadable,
    })
}

fn seq_of_row(row: &Row<'_>) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0))
}

#[derive(Debug, thiserror::Error)]
#[error("there is no kind of event \"{kind}\"")]
struct UnknownKind {
    kind: String,
}

/// The JSON text of a value for a column.
pub(crate) fn to_json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// The value in a column of JSON text.
pub(crate) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str().map_err(|error| unreadable(column, error))?;
    serde_json::from_str(text).map_err(|error| unreadable(column, error))
}

/// A column whose text is not what it should be.
pub(crate) fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
