//! The tools as the agent uses them, with a real monitor, store and sandbox.

#![allow(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

mod bounds;
mod commands;
mod files;
mod laundering;
mod patches;
mod room;
mod secrets;
mod specs;
mod taking_over;
mod web;
