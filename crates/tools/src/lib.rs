//! The built-in tools.
//!
//! One file a tool, each with the same three things: what the model sees of it, what a call would do (an action, worked out without
//! doing anything), and the doing of what was authorised. Names and parameters are those of OpenClaw's tools.
//!
//! * Files are reached through a directory handle ([`Workspace`]), never through a path string: the kernel itself keeps every
//!   access below the root, links included.
//! * Whatever is written carries the label of the context it was written in, and whatever is read the label of the file.
//! * What is secret in the files of the workspace is known before anything that was made of them is shown ([`WorkspaceSecrets`]).
//! * A command runs in the sandbox and nowhere else. What it says carries the labels of all files that it could have read.
//! * A page of the web is reached by its address as `krabba-net` judges it, and carries its host as its origin.
//! * A result is cut to the budget that the turn gives, in a way that says what is missing and how to get it.

mod apart;
mod apply_patch;
mod arguments;
mod builtin;
mod change;
mod edit;
mod edit_text;
mod exec;
mod files;
mod find;
mod grep;
mod image;
mod indentation;
mod job;
mod jobs;
mod kept;
mod keys;
mod lines;
mod ls;
mod page;
mod patch;
mod picture;
mod process;
mod read;
mod reading;
mod replaced;
mod secrets;
mod sessions_spawn;
mod tags;
mod text;
mod walk;
mod web;
mod web_fetch;
mod web_search;
mod workspace;
mod write;

pub use builtin::{Settings, builtin};
pub use edit_text::{Edit as Replacement, apply as replace_pieces};
pub use exec::Patience;
pub use jobs::{Jobs, forget_changes};
pub use page::markdown;
pub use patch::{FilePatch, Hunk, apply as apply_hunks, parse as parse_patch};
pub use replaced::Replaced;
pub use secrets::WorkspaceSecrets;
pub use web_fetch::{FetchSettings, PageKey};
pub use web_search::SearchSettings;
pub use workspace::{FileError, Workspace};

#[cfg(test)]
mod edit_text_tests;
#[cfg(test)]
mod indentation_tests;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod patch_tests;
#[cfg(test)]
mod tags_tests;
#[cfg(test)]
mod text_tests;
