//! Making OpenClaw's configuration krabba's own, by copying it.

use std::path::Path;

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstNode, CstRootNode};

use crate::edit::{EditError, read_text};
use crate::{Disk, Files, Location, Surroundings, load, write_new};

/// Copies the file at `location` to `own_file`, comments and all, for its owner alone. Files that it includes stay where they are
/// and go on being read: their names are made absolute in the copy.
///
/// # Errors
/// When the file cannot be read or has errors, when there is a file of krabba's own already, or when it cannot be written.
pub fn adopt(location: &Location, own_file: &Path, surroundings: &Surroundings) -> Result<(), EditError> {
    let path = &location.path;
    if own_file.exists() {
        return Err(EditError::Exists { path: own_file.to_owned() });
    }
    let text = read_text(path)?;
    let loaded = load(path, &Disk, surroundings).map_err(|diagnostics| EditError::Invalid { diagnostics })?;
    let text = if loaded.files().len() > 1 { with_absolute_includes(path, &text)? } else { text };
    write_new(own_file, &text, surroundings)
}

fn with_absolute_includes(path: &Path, text: &str) -> Result<String, EditError> {
    let body = text.trim_start_matches('\u{feff}');
    let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
    let root = CstRootNode::parse(body, &options).map_err(|error| EditError::NotEditable {
        path: path.to_owned(),
        why: error.to_string(),
        manual: "copy it yourself and make the names after $include absolute".to_owned(),
    })?;
    let real = Disk.canonical(path);
    let directory = real.parent().unwrap_or(Path::new("/"));
    if let Some(value) = root.value() {
        walk(&value, directory);
    }
    Ok(root.to_string())
}

fn walk(node: &CstNode, directory: &Path) {
    if let Some(object) = node.as_object() {
        for property in object.properties() {
            let Some(value) = property.value() else { continue };
            if property.decoded_name().as_deref() == Some("$include") {
                make_absolute(&value, directory);
            } else {
                walk(&value, directory);
            }
        }
    } else if let Some(array) = node.as_array() {
        array.elements().iter().for_each(|element| walk(element, directory));
    }
}

fn make_absolute(node: &CstNode, directory: &Path) {
    if let Some(array) = node.as_array() {
        array.elements().iter().for_each(|element| make_absolute(element, directory));
    } else if let Some(literal) = node.as_string_lit()
        && let Ok(name) = literal.decoded_value()
    {
        let absolute = directory.join(name).display().to_string();
        literal.set_raw_value(serde_json::Value::from(absolute).to_string());
    }
}
