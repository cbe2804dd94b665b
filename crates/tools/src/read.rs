//! `read`: a file, or a part of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Image, Look, ToolSpec};
use serde::Deserialize;
use serde_json::json;

use crate::arguments;
use crate::files::{Content, Failed, Files, on_disk};
use crate::text::lines;

pub(crate) struct Read {
    spec: ToolSpec,
    files: Files,
}

#[derive(Deserialize)]
struct Arguments {
    #[serde(alias = "file_path")]
    path: String,
    /// The first line, counted from 1.
    offset: Option<usize>,
    /// How many lines.
    limit: Option<usize>,
}

impl Read {
    pub(crate) fn new(files: Files) -> Self {
        let spec = arguments::spec(
            "read",
            "Read a text file, or a picture. For long files give offset (first line, from 1) and limit (lines).",
            json!({"path": {"type": "string"}, "offset": {"type": "integer"}, "limit": {"type": "integer"}}),
            &["path"],
        );
        Self { spec, files }
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
        let files = self.files.clone();
        on_disk(move || {
            let (look, arguments): (_, Arguments) = arguments::of_look(&action)?;
            let Content { bytes, label } = files.read(&look.path)?;
            if let Some(media_type) = picture(&bytes) {
                let image = Image { media_type: media_type.to_owned(), base64: STANDARD.encode(&bytes) };
                let mut outcome = Outcome::done(format!("a picture, {media_type}, {} bytes", bytes.len()), label);
                outcome.images.push(image);
                return Ok(outcome);
            }
            let Ok(text) = String::from_utf8(bytes) else {
                return Err(Failed(format!("{} is not plain text; exec can look into it", look.path)));
            };
            match lines(&text, arguments.offset, arguments.limit, run.budget) {
                Ok(text) => Ok(Outcome::done(text, label)),
                Err(why) => Err(Failed(why)),
            }
        })
        .boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Harmless
    }
}

/// The media type of a picture that models take.
fn picture(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}
