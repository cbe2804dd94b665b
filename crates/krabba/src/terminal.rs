//! The conversation in a terminal: an inline editor at the bottom, the scrollback left alone.
//!
//! [`chat`] owns the loop. It feeds keys to the [`editor`], events of the turn to the [`view`], and messages to the lane;
//! slash commands go through `krabba-command`, which knows no terminal. Where standard input or output is no terminal,
//! [`plain`] reads a message a line and prints answers, without any escape code.

mod approval;
mod chat;
mod compacting;
mod editor;
mod footer;
mod goodbye;
mod history;
mod local_time;
mod markdown;
mod offer;
mod plain;
mod raw_mode;
mod recall;
mod screen;
mod style;
mod table;
mod unsent;
mod view;

use std::io::{IsTerminal, stdin, stdout};
use std::process::ExitCode;

use anyhow::Result;
use krabba_agent::{Agent, Lane};

use crate::assemble::{Home, World};
pub(crate) use approval::{acted_line, from_elsewhere};
pub(crate) use chat::Hello;
pub(crate) use footer::{short_name, unverified, was_unverified};
pub(crate) use history::LineHistory;
pub(crate) use local_time::circumstances;
pub(crate) use recall::{last_exchanges, never_begun};
pub(crate) use style::{printable_lines, wrapped_lines};

/// Whether there is a terminal that can be drawn on.
pub(crate) fn is_one(home: &Home) -> bool {
    let is_dumb = home.env.get("TERM").is_some_and(|terminal| terminal == "dumb");
    stdin().is_terminal() && stdout().is_terminal() && !is_dumb
}

/// Talks until the person leaves, with whatever there is to talk through.
///
/// # Errors
/// When the terminal or the store fails.
pub(crate) async fn run(home: &Home, world: &World, agent: &Agent, lane: Lane, hello: Hello) -> Result<ExitCode> {
    if !is_one(home) {
        return plain::run(home, world, agent, lane).await;
    }
    chat::run(home, world, agent, lane, hello).await
}

#[cfg(test)]
mod approval_tests;
#[cfg(test)]
mod editor_tests;
#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod markdown_tests;
#[cfg(test)]
mod offer_tests;
#[cfg(test)]
mod recall_tests;
#[cfg(test)]
mod screen_tests;
#[cfg(test)]
mod view_tests;
