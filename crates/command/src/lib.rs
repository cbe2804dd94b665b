//! Slash commands, the same on every surface.
//!
//! A surface (the terminal, a chat, the web page) hands each line to [`run`]. What is a message for the model comes back as
//! `None`; what is a command comes back as a [`Reply`]: Markdown lines to show, and an [`Effect`] that only the surface itself
//! can bring about. The commands know no surface. What a surface is allowed, it says once ([`FileAccess`]).
//!
//! Names and spellings are those that OpenClaw's users have in their fingers. What is different: an id is taken byte for
//! byte, there is no hidden allowlist, and a refusal names the line of the configuration that refuses.

mod closest;
mod execute;
mod image;
mod model;
mod models;
mod parse;
mod report;

#[cfg(test)]
mod image_tests;
#[cfg(test)]
mod parse_tests;

pub use execute::{Context, Effect, Reply, execute, run};
pub use image::{FileAccess, ImageError, read_image};
pub use parse::{COMMANDS, Command, CommandError, Entry, ModelWish, ModelsWish, PageSize, Switch, ThinkWish, parse};
pub use report::compacted;
