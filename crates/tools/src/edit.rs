//! `edit`: replaces pieces of a file.

use krabba_tool::{Call, Refusal};
use krabba_types::{Aliases, FileChange, ToolSpec};
use serde::Deserialize;
use serde_json::json;

use crate::change::Changer;
use crate::edit_text::{Edit as Piece, apply};
use crate::files::Files;
use crate::{arguments, change};

#[derive(Deserialize)]
struct Arguments {
    path: String,
    edits: Vec<Piece>,
}

pub(crate) fn tool(files: Files) -> Changer {
    let text = json!({"type": "string"});
    let piece = json!({"type": "object", "properties": {"oldText": text, "newText": text}, "required": ["oldText", "newText"]});
    let spec = arguments::spec(
        "edit",
        "Replace pieces of a file. Each oldText must stand in it exactly once.",
        json!({"path": {"type": "string"}, "edits": {"type": "array", "items": piece}}),
        &["path", "edits"],
    );
    // Older models and other agents write the only piece without the list.
    let names =
        [("file_path", "path"), ("old_string", "oldText"), ("oldString", "oldText"), ("new_string", "newText"), ("newString", "newText")];
    let aliases = Aliases { flat: Some("edits".to_owned()), ..arguments::aliases(&names) };
    Changer { spec: ToolSpec { aliases, ..spec }, files, planned }
}

fn planned(files: &Files, call: Call<'_>) -> Result<Vec<FileChange>, Refusal> {
    let Arguments { path, edits } = arguments::read(call)?;
    let path = arguments::place(&files.workspace, &path)?;
    let Some(before) = change::current(files, &path)? else {
        return Err(files.refused(format!("there is no {path}; write makes one")));
    };
    let worked_over =
        change::text(&path, &before).and_then(|text| apply(text, &edits).map_err(|why| Refusal::new(format!("{path}: {why}"))));
    let after = worked_over.map_err(|refusal| change::about(files, &path, refusal))?;
    Ok(vec![change::planned(path, Some(&before), Some(after.into_bytes()), change::until())?])
}
