//! The reference of all keys as Markdown, made from the schema; the same bytes every time.

use std::fmt::Write;

use crate::shape::{Kind, Shape};

const HEAD: &str = "# Configuration reference

This file is generated from the types that hold the configuration; do not edit it.

The configuration is JSON5: comments, trailing commas and unquoted keys are fine. `$include` takes in other files, `${NAME}`
takes in environment variables. A key marked **krabba** does not exist in OpenClaw; all others have OpenClaw's meaning.
A secret is a text, `${NAME}`, `$NAME`, or a reference `{source: \"env\", id: \"NAME\"}` or `{source: \"file\", provider: \"name\", id: \"/pointer\"}`
with `secrets.providers.name: {source: \"file\", path: \"…\", mode: \"json\"}` (or `singleValue`). Variables come from the environment, then
from `.env` files, then from `env.vars`.

`<name>` stands for a name of your own, `[]` for each entry of a list.
";

/// The whole reference.
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    let Kind::Object(root) = &Shape::root().kind else { return text };
    for (key, shape) in &root.fields {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## `{key}`{}\n\n{}\n", owner(shape), shape.meaning);
        let mut rows = Vec::new();
        below(&mut rows, key, shape);
        if !rows.is_empty() {
            text.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
            rows.iter().for_each(|row| text.push_str(row));
        }
    }
    let mut ignored: Vec<&str> = root.ignored.iter().map(String::as_str).collect();
    ignored.sort_unstable();
    let _ = write!(
        text,
        "\n## Kept and not used\n\nThese keys of OpenClaw are left as they are and have no effect yet: `{}`.\n",
        ignored.join("`, `")
    );
    text
}

fn below(rows: &mut Vec<String>, path: &str, shape: &Shape) {
    match &shape.kind {
        Kind::Object(fields) => {
            for (key, field) in &fields.fields {
                let path = format!("{path}.{key}");
                rows.push(row(&path, field, fields.required.contains(key)));
                below(rows, &path, field);
            }
        }
        Kind::Map(value) => below(rows, &format!("{path}.<name>"), value),
        Kind::List(item) => below(rows, &format!("{path}[]"), item),
        Kind::Choice(shapes) if !shape.secret => shapes.iter().for_each(|shape| below(rows, path, shape)),
        Kind::Choice(_) | Kind::Any | Kind::Bool | Kind::Number(_) | Kind::Text(_) => {}
    }
}

fn row(path: &str, shape: &Shape, required: bool) -> String {
    let kind = if shape.secret { "secret".to_owned() } else { shape.kind.words() };
    let default = match (&shape.default, required) {
        (_, true) => "required",
        (Some(default), false) => default.as_str(),
        (None, false) => "",
    };
    // `region:<code>` would be taken for HTML.
    let (kind, default) = (cell(&kind).replace('<', "\\<"), cell(default).replace('<', "\\<"));
    format!("| `{path}` | {kind} | {default} | {}{} |\n", owner(shape).trim_start(), cell(&spaced(shape)))
}

fn spaced(shape: &Shape) -> String {
    if shape.ours { format!(" {}", shape.meaning) } else { shape.meaning.clone() }
}

fn owner(shape: &Shape) -> &'static str {
    if shape.ours { " **krabba**" } else { "" }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
