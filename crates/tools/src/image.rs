//! `image`: what a model that sees says of a picture, for one that does not.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Image, Label, Look, ToolSpec};
use serde::Deserialize;
use serde_json::json;

use crate::arguments;
use crate::files::{Content, Failed, Files};
use crate::picture::picture;

/// What is asked where the model asks nothing.
const QUESTION: &str = "Describe the image.";

pub(crate) struct LookAtImage {
    spec: ToolSpec,
    files: Files,
}

#[derive(Deserialize)]
struct Arguments {
    image: String,
    prompt: Option<String>,
    /// Whom other agents let the model choose to look.
    model: Option<String>,
}

impl LookAtImage {
    pub(crate) fn new(files: Files) -> Self {
        let properties = json!({"image": {"type": "string"}, "prompt": {"type": "string"}});
        let description = "Have a model that sees look at a picture file, and tell what it says. Give prompt, the question about it.";
        let aliases = arguments::aliases(&[("path", "image"), ("file_path", "image")]);
        Self { spec: ToolSpec { aliases, ..arguments::spec("image", description, properties, &["image"]) }, files }
    }

    fn planned(&self, call: Call<'_>) -> Result<Action, Refusal> {
        let Arguments { image, .. } = arguments::read(call)?;
        let path = arguments::place(&self.files.workspace, &image)?;
        Ok(Action::Look(Look { tool: "image".to_owned(), path, arguments: call.arguments.clone() }))
    }

    async fn look(&self, action: Authorized<Action>, run: Run) -> Result<Outcome, Failed> {
        let (look, Arguments { prompt, model, .. }) = arguments::of_look(&action)?;
        let (image, label) = self.read(look).await?;
        let eyes = run.eyes.ok_or_else(|| Failed("no model can be asked about pictures here".to_owned()))?;
        let question = prompt.filter(|prompt| !prompt.trim().is_empty()).unwrap_or_else(|| QUESTION.to_owned());
        let seen = tokio::select! {
            () = run.cancel.cancelled() => return Err(Failed("stopped".to_owned())),
            seen = eyes.look(image, question) => seen.map_err(Failed)?,
        };
        let mut text = seen.text;
        if text.len() > run.budget {
            text.truncate(text.floor_char_boundary(run.budget));
            text.push_str("\n[… the rest is left out; ask something narrower …]");
        }
        if model.is_some_and(|model| !model.is_empty() && model != seen.by.to_string()) {
            text.push_str(&format!("\n[{} looked: which model does is the owner's choice]", seen.by));
        }
        // It is a model that says so, of whatever stands in the picture.
        Ok(Outcome::done(text.clone(), label.join(&Label::Minted)).showing(format!("{} ({}): {text}", seen.by, seen.residency)))
    }

    async fn read(&self, look: Look) -> Result<(Image, Label), Failed> {
        let files = self.files.clone();
        let read = tokio::task::spawn_blocking(move || {
            let Content { bytes, label } = files.read(&look.path)?;
            let none = || Failed(format!("{} is no PNG, JPEG, WebP or GIF picture", look.path));
            Ok((picture(&bytes)?.ok_or_else(none)?, label))
        });
        read.await?
    }
}

impl Tool for LookAtImage {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        async move { self.planned(call) }.boxed()
    }

    fn run<'a>(&'a self, action: Authorized<Action>, run: Run) -> BoxFuture<'a, Outcome> {
        async move { self.look(action, run).await.unwrap_or_else(|failed| self.files.failed(failed)) }.boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Harmless
    }
}
