//! `read`: a file, or a part of it.

use std::ops::RangeInclusive;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Look, ToolSpec};
use serde::Deserialize;
use serde_json::json;

use crate::files::{Content, Files, on_disk};
use crate::picture::picture;
use crate::text::lines;
use crate::{Jobs, arguments};

pub(crate) struct Read {
    spec: ToolSpec,
    files: Files,
    jobs: Jobs,
}

#[derive(Deserialize)]
struct Arguments {
    path: String,
    /// The first line, counted from 1.
    offset: Option<usize>,
    /// How many lines.
    limit: Option<usize>,
}

impl Read {
    pub(crate) fn new(files: Files, jobs: Jobs) -> Self {
        let spec = arguments::spec(
            "read",
            "Read a text file, or a picture. For long files give offset (first line, from 1) and limit (lines).",
            json!({"path": {"type": "string"}, "offset": {"type": "integer"}, "limit": {"type": "integer"}}),
            &["path"],
        );
        let aliases = arguments::aliases(&[("file_path", "path")]);
        Self { spec: ToolSpec { aliases, ..spec }, files, jobs }
    }

    fn planned(&self, call: Call<'_>) -> Result<Action, Refusal> {
        let Arguments { path, offset: _, limit: _ } = arguments::read(call)?;
        let path = arguments::place(&self.files.workspace, &path)?;
        Ok(Action::Look(Look { tool: "read".to_owned(), path, arguments: call.arguments.clone() }))
    }
}

impl Tool for Read {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        async move { self.planned(call) }.boxed()
    }

    fn run<'a>(&'a self, action: Authorized<Action>, run: Run) -> BoxFuture<'a, Outcome> {
        let jobs = self.jobs.clone();
        on_disk(&self.files, move |files| {
            let (look, arguments): (_, Arguments) = arguments::of_look(&action)?;
            if !files.workspace.is_there(&look.path)
                && let Some(label) = jobs.label_apart(&run.session, &look.path)
            {
                let why = "is kept apart from the workspace: exec (cat) shows it, process keep asks the owner to take it over";
                return Ok(Outcome { label, ..Outcome::failed(format!("{} {why}", look.path)) });
            }
            let Content { bytes, label } = files.read(&look.path)?;
            if let Some(image) = picture(&bytes)? {
                let text = format!("a picture, {}, {} bytes", image.media_type, bytes.len());
                return Ok(Outcome { images: vec![image], ..Outcome::done(text, label) });
            }
            let Ok(text) = String::from_utf8(bytes) else {
                return Ok(Outcome { label, ..Outcome::failed(format!("{} is not plain text; exec can look into it", look.path)) });
            };
            let more = |line, bytes: RangeInclusive<usize>| {
                let (path, from, to) = (look.path.as_str().replace('\'', r"'\''"), bytes.start(), bytes.end());
                format!("exec with \"sed -n {line}p '{path}' | cut -b {from}-{to}\" shows more")
            };
            match lines(&text, arguments.offset, arguments.limit, run.budget, more) {
                Ok(text) => Ok(Outcome::done(text, label)),
                Err(why) => Ok(Outcome { label, ..Outcome::failed(why) }),
            }
        })
        .boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Harmless
    }
}
