//! From a call's arguments to types, with one short line for the model where that fails.

use krabba_guard::Authorized;
use krabba_tool::{Call, Refusal};
use krabba_types::{Action, Aliases, JsonObject, Look, ToolSpec, WorkspacePath};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Workspace;
use crate::files::Failed;

/// Reads the arguments of a call.
pub(crate) fn read<T: DeserializeOwned>(call: Call<'_>) -> Result<T, Refusal> {
    of_object(call.arguments)
}

/// What is to be looked at, and the arguments, which were checked before.
pub(crate) fn of_look<T: DeserializeOwned>(action: &Authorized<Action>) -> Result<(Look, T), Failed> {
    let Action::Look(look) = action.action() else { return Err(Failed("this is no look at files".to_owned())) };
    let arguments = of_object(&look.arguments)?;
    Ok((look.clone(), arguments))
}

fn of_object<T: DeserializeOwned>(arguments: &JsonObject) -> Result<T, Refusal> {
    serde_json::from_value(Value::Object(arguments.clone())).map_err(|error| Refusal::new(format!("the arguments are wrong: {error}")))
}

/// A place in the workspace, as the model wrote it.
pub(crate) fn place(workspace: &Workspace, text: &str) -> Result<WorkspacePath, Refusal> {
    WorkspacePath::parse(text, workspace.root())
        .map_err(|error| Refusal::new(format!("{error} (rule workspace-only); {} is its root", workspace.root())))
}

/// What the model sees of a tool.
pub(crate) fn spec(name: &str, description: &str, properties: Value, required: &[&str]) -> ToolSpec {
    let mut parameters = JsonObject::new();
    parameters.insert("type".to_owned(), Value::from("object"));
    parameters.insert("properties".to_owned(), properties);
    if !required.is_empty() {
        parameters.insert("required".to_owned(), Value::from(required.to_vec()));
    }
    ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters, aliases: Aliases::default() }
}

/// Other names that models write, each with the one that is meant.
pub(crate) fn aliases(names: &[(&str, &str)]) -> Aliases {
    let names = names.iter().map(|(other, name)| ((*other).to_owned(), (*name).to_owned())).collect();
    Aliases { names, flat: None }
}
