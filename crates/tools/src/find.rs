//! `find`: files by their names.

use std::ops::ControlFlow;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use globset::{GlobBuilder, GlobMatcher};
use krabba_guard::Authorized;
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Look, ToolSpec};
use serde::Deserialize;
use serde_json::json;

use crate::arguments;
use crate::files::{Files, on_disk};
use crate::text::listing;
use crate::walk::{Walked, walk};
use crate::workspace::Kind;

/// As many files as are named when nothing is said.
const USUAL: usize = 1_000;

pub(crate) struct Find {
    spec: ToolSpec,
    files: Files,
}

#[derive(Deserialize)]
struct Arguments {
    pattern: String,
    #[serde(default)]
    path: String,
    limit: Option<usize>,
}

impl Find {
    pub(crate) fn new(files: Files) -> Self {
        let text = json!({"type": "string"});
        let spec = arguments::spec(
            "find",
            "Find files by a glob pattern such as *.rs or src/**/*.md. Leaves out what .gitignore names.",
            json!({"pattern": text, "path": text, "limit": {"type": "integer"}}),
            &["pattern"],
        );
        Self { spec, files }
    }

    fn planned(&self, call: Call<'_>) -> Result<Action, Refusal> {
        let Arguments { pattern, path, limit: _ } = arguments::read(call)?;
        matcher(&pattern)?;
        let path = arguments::place(&self.files.workspace, &path)?;
        Ok(Action::Look(Look { tool: "find".to_owned(), path, arguments: call.arguments.clone() }))
    }
}

/// A pattern without a slash is one for the name alone.
pub(crate) fn matcher(pattern: &str) -> Result<GlobMatcher, Refusal> {
    let whole = if pattern.contains('/') { pattern.trim_start_matches("./").to_owned() } else { format!("**/{pattern}") };
    let glob = GlobBuilder::new(&whole).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| Refusal::new(format!("the pattern is wrong: {error}")))
}

impl Tool for Find {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        async move { self.planned(call) }.boxed()
    }

    fn run<'a>(&'a self, action: Authorized<Action>, run: Run) -> BoxFuture<'a, Outcome> {
        on_disk(&self.files, move |files| {
            let (look, Arguments { pattern, limit, .. }) = arguments::of_look(&action)?;
            let matcher = matcher(&pattern)?;
            let most = limit.unwrap_or(USUAL);
            let below = if look.path.as_str().is_empty() { String::new() } else { format!("{}/", look.path.as_str()) };
            let (mut found, mut seen) = (Vec::new(), Vec::new());
            let walked = walk(&files.workspace, &look.path, |path, kind| {
                if run.cancel.is_cancelled() {
                    return ControlFlow::Break(());
                }
                seen.push(path.clone());
                let relative = path.as_str().strip_prefix(&below).unwrap_or(path.as_str());
                if kind != Kind::Directory && matcher.is_match(relative) {
                    found.push(path.clone());
                }
                if found.len() > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            let walked = walked?;
            let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
            let mut text = listing(&lines, most, run.budget, "narrow the pattern, or give a path");
            if walked == Walked::TooMany {
                text.push_str("\n[the tree is too large to be looked through; give a path]");
            }
            // That a name does not match says something of it too.
            let label = files.label_of_names(&seen)?;
            Ok(Outcome::done(if text.is_empty() { "no file matches".to_owned() } else { text }, label))
        })
        .boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Harmless
    }
}
