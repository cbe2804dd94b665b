//! The corpus: one file per quirk of a server, in `quirks/` beside this crate's sources.

use std::path::PathBuf;

use krabba_types::Dialect;

use crate::kinds::manners;
use crate::{Expect, Script, ScriptError};

/// A quirk: its name, where the fact comes from, and the script that shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Quirk {
    /// The file's name without its ending.
    pub name: String,
    /// The comment at the head of the file.
    pub source: String,
    /// What the server does.
    pub script: Script,
    /// What the client has to make of it.
    pub expect: Expect,
}

impl Quirk {
    /// All quirks, by name.
    ///
    /// # Errors
    /// A file cannot be read, is no script, or says neither where it comes from nor what is expected.
    pub fn all() -> Result<Vec<Self>, ScriptError> {
        let directory = Self::directory();
        let unreadable = |source| ScriptError::Unreadable { path: directory.display().to_string(), source };
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(&directory).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "json5") {
                paths.push(path);
            }
        }
        paths.sort();
        paths.into_iter().map(Self::read).collect()
    }

    /// One quirk by its name.
    ///
    /// # Errors
    /// As [`Quirk::all`].
    pub fn named(name: &str) -> Result<Self, ScriptError> {
        Self::read(Self::directory().join(format!("{name}.json5")))
    }

    /// Where the corpus is.
    pub fn directory() -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/quirks"))
    }

    fn read(path: PathBuf) -> Result<Self, ScriptError> {
        let shown = path.display().to_string();
        let script = Script::from_file(&path)?;
        let text = std::fs::read_to_string(&path).map_err(|source| ScriptError::Unreadable { path: shown.clone(), source })?;
        let comment = text.lines().take_while(|line| line.starts_with("//")).map(|line| line.trim_start_matches('/').trim());
        let source = comment.collect::<Vec<_>>().join(" ");
        let expect = script.expect.clone().filter(|_| !source.is_empty()).ok_or(ScriptError::Incomplete { path: shown })?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { name, source, script, expect })
    }

    /// The dialects in which the quirk exists.
    pub fn dialects(&self) -> Vec<Dialect> {
        let speaks = |dialect: &Dialect| manners(self.script.server).dialect(dialect_path(*dialect)).is_some();
        if self.expect.dialects.is_empty() { Dialect::ALL.into_iter().filter(speaks).collect() } else { self.expect.dialects.clone() }
    }

    /// The model to ask for.
    pub fn model(&self) -> String {
        let first = self.script.models.first().map(|model| model.id.clone());
        self.script.ask.model.clone().or(first).unwrap_or_else(|| "scripted".to_owned())
    }

    /// The user's words to send.
    pub fn prompt(&self) -> String {
        let words = self.script.ask.text.clone().unwrap_or_else(|| "hello".to_owned());
        let missing = self.script.ask.prompt_bytes.unwrap_or(0).saturating_sub(words.len());
        let filler: String = " and so on".chars().cycle().take(missing).collect();
        words + &filler
    }

    /// The key to send.
    pub fn key(&self) -> Option<String> {
        self.script.ask.key.clone().or_else(|| self.script.key.clone())
    }
}

/// The path of a dialect below the origin.
pub fn dialect_path(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiResponses => "/v1/responses",
        Dialect::OpenAiCompletions => "/v1/chat/completions",
        Dialect::AnthropicMessages => "/v1/messages",
        Dialect::Ollama => "/api/chat",
    }
}
