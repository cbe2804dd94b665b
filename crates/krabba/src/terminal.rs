//! The conversation in a terminal: an inline editor at the bottom, the scrollback left alone.
//!
//! [`chat`] owns the loop. It feeds keys to the [`editor`], events of the turn to the [`view`], and messages to the lane;
//! slash commands go through `krabba-command`, which knows no terminal. Where standard input or output is no terminal,
//! [`plain`] reads a message a line and prints answers, without any escape code.

mod chat;
mod editor;
mod footer;
mod history;
mod local_time;
mod markdown;
mod plain;
mod raw_mode;
mod screen;
mod style;
mod view;

pub(crate) use chat::run;
pub(crate) use local_time::circumstances;
pub(crate) use style::printable_lines;

#[cfg(test)]
mod editor_tests;
#[cfg(test)]
mod markdown_tests;
#[cfg(test)]
mod screen_tests;
