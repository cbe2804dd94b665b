//! `krabba sessions …`

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use krabba_agent::{Extent, History, Outcome, Record};
use krabba_store::{Event, LeaseOwner, Leasing, Session, Store};
use krabba_tools::forget_changes;
use krabba_types::{Clock, Part, SessionId, SystemClock, Timestamp};
use serde_json::json;

use crate::assemble::Home;
use crate::cli::SessionsVerb;
use crate::failure::Failure;
use crate::terminal::{LineHistory, printable_lines, was_unverified};

/// How long a session is kept to be deleted, in milliseconds.
const DELETING: i64 = 60_000;

/// Lists, shows, exports or deletes stored conversations. No configuration is needed for that.
pub(crate) fn run(home: &Home, verb: SessionsVerb) -> Result<ExitCode> {
    let store =
        Store::open(&home.state_dir).with_context(|| format!("the state directory {} cannot be used", home.shown(&home.state_dir)))?;
    match verb {
        SessionsVerb::List { output } => list(&store, output.json)?,
        SessionsVerb::Show { id, output } => show(&store, &find(&store, &id)?, output.json)?,
        SessionsVerb::Export { id } => export(&store, &find(&store, &id)?)?,
        SessionsVerb::Delete { id } => {
            let session = find(&store, &id)?;
            free(&store, &session)?;
            delete(home, &store, &session)?;
            println!("Deleted {}", session.id);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A session by its id, or by a beginning that only one has.
fn find(store: &Store, id: &str) -> Result<Session> {
    if let Some(session) = store.session(&SessionId::new(id))? {
        return Ok(session);
    }
    let mut matching: Vec<Session> =
        persons(store)?.into_iter().filter(|session| !id.is_empty() && session.id.as_str().starts_with(id)).collect();
    match (matching.pop(), matching.len()) {
        (Some(session), 0) => Ok(session),
        (Some(_), others) => Err(Failure::WhichSession(format!("{} sessions begin with \"{id}\"; type more of it", others + 1)).into()),
        (None, _) => Err(Failure::WhichSession(format!("there is no session \"{id}\"; krabba sessions list shows all")).into()),
    }
}

/// A conversation whose answer is being made is deleted afterwards, or its end would be of a session that is none.
fn free(store: &Store, session: &Session) -> Result<()> {
    let (owner, now) = (LeaseOwner::new(), SystemClock.now());
    match store.take_lease(&session.id, &owner, now, Timestamp(now.0 + DELETING))? {
        Leasing::Taken(_) => Ok(()),
        Leasing::Held { by, .. } => {
            let why = format!("process {} is answering in session {}; end that first", by.pid, session.id);
            Err(Failure::SessionInUse(why).into())
        }
    }
}

/// What was said, what was typed to say it, and what commands changed that was not taken over. The typed lines go first: as long as they could not be removed the session is still
/// there to be deleted.
fn delete(home: &Home, store: &Store, session: &Session) -> Result<()> {
    let typed = LineHistory::new(&home.state_dir);
    typed.forget(&session.id).context("what was typed in this session cannot be removed")?;
    forget_changes(&home.sandbox_dir(), &session.id).context("what commands of this session changed cannot be removed")?;
    // What its sub-agents did goes with it.
    let of_it = store.list_sessions()?.into_iter().filter(|other| other.id.asker().as_ref() == Some(&session.id));
    for sub_agent in of_it {
        store.delete_session(&sub_agent.id)?;
    }
    store.delete_session(&session.id)?;
    if store.list_sessions()?.is_empty() {
        // Lines of an older krabba, and commands in sessions in which nothing was said.
        typed.forget_all().context("the last session is deleted; other lines that were typed cannot be removed")?;
    }
    Ok(())
}

/// Those that a person talks in.
fn persons(store: &Store) -> Result<Vec<Session>> {
    Ok(store.list_sessions()?.into_iter().filter(|session| session.id.asker().is_none()).collect())
}

fn list(store: &Store, json: bool) -> Result<()> {
    let sessions = persons(store)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&json!({ "count": sessions.len(), "sessions": sessions }))?);
        return Ok(());
    }
    if sessions.is_empty() {
        println!("No sessions yet.");
    }
    let mut out = std::io::stdout().lock();
    for session in sessions {
        let title = session.title.as_deref().unwrap_or("(untitled)");
        writeln!(
            out,
            "{}  {}  {}",
            printable_lines(session.id.as_str()),
            local(session.updated_at.0),
            printable_lines(title).replace('\n', " ")
        )?;
    }
    Ok(())
}

fn show(store: &Store, session: &Session, json: bool) -> Result<()> {
    let events = store.events(&session.id, 0)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&json!({ "session": session, "events": events }))?);
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}  {}", printable_lines(session.id.as_str()), local(session.created_at.0))?;
    for event in &events {
        if let Some(text) = event.readable().and_then(words) {
            writeln!(out, "\n{}", printable_lines(&text))?;
        }
    }
    match History::of(&events).unreadable().len() {
        0 => {}
        1 => writeln!(out, "\n(1 event cannot be read by this version of krabba; `sessions export` has it)")?,
        count => writeln!(out, "\n({count} events cannot be read by this version of krabba; `sessions export` has them)")?,
    }
    Ok(())
}

/// An event as a person reads it. Reasoning is not shown: it was never said to anyone.
fn words(event: &Event) -> Option<String> {
    match Record::of(event).ok()? {
        Record::User(user) => Some(format!("› {}", spoken(&user.parts))),
        Record::Assistant(assistant) => {
            let broken = if assistant.extent == Extent::Aborted { "\n[broke off here]" } else { "" };
            let said = spoken(&assistant.parts);
            let mark = was_unverified(&event.label).filter(|_| !said.is_empty());
            let mark = mark.map(|mark| format!("\n[{mark}]")).unwrap_or_default();
            Some(format!("{said}{broken}{mark}\n[{}]", assistant.route))
        }
        Record::Notice(notice) => Some(format!("[{}]", notice.text)),
        Record::Ended(end) => match end.outcome {
            Outcome::Answered(_) => None,
            Outcome::Failed(fault) => Some(format!("[failed: {fault}]")),
            Outcome::Stopped => Some("[stopped]".to_owned()),
            Outcome::Steered => Some("[went on with your next message]".to_owned()),
            Outcome::Interrupted => Some("[interrupted: krabba ended before the answer did]".to_owned()),
            Outcome::Broken(why) => Some(format!("[{why}]")),
        },
        Record::Opened(_) | Record::Started(_) | Record::Call(_) | Record::Result(_) | Record::Changed(_) | Record::Cut(_) => None,
    }
}

fn spoken(parts: &[Part]) -> String {
    let pieces: Vec<&str> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Image(_) => Some("[picture]"),
            Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => None,
        })
        .collect();
    pieces.concat()
}

fn export(store: &Store, session: &Session) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(session)?)?;
    for event in store.export(&session.id)? {
        writeln!(out, "{}", serde_json::to_string(&event)?)?;
    }
    Ok(())
}

/// `2026-11-22 18:27` where the person is.
fn local(milliseconds: i64) -> String {
    match jiff::Timestamp::from_millisecond(milliseconds) {
        Ok(instant) => instant.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => String::new(),
    }
}
