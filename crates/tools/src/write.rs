//! `write`: gives a file a whole new content.

use krabba_tool::{Call, Refusal};
use krabba_types::{FileChange, ToolSpec};
use serde::Deserialize;
use serde_json::json;

use crate::change::Changer;
use crate::files::Files;
use crate::{arguments, change};

#[derive(Deserialize)]
struct Arguments {
    path: String,
    content: String,
}

pub(crate) fn tool(files: Files) -> Changer {
    let spec = arguments::spec(
        "write",
        "Write a file, replacing what it held. Makes missing directories.",
        json!({"path": {"type": "string"}, "content": {"type": "string"}}),
        &["path", "content"],
    );
    let aliases = arguments::aliases(&[("file_path", "path")]);
    Changer { spec: ToolSpec { aliases, ..spec }, files, planned }
}

fn planned(files: &Files, call: Call<'_>) -> Result<Vec<FileChange>, Refusal> {
    let Arguments { path, content } = arguments::read(call)?;
    let path = arguments::place(&files.workspace, &path)?;
    let before = change::current(files, &path)?;
    Ok(vec![change::planned(path, before.as_deref(), Some(content.into_bytes()), change::until())?])
}
