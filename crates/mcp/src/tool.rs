//! A tool of a server, as one of the agent's.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Aliases, ForeignCall, ForeignEffect, Label, ToolSpec, World};
use serde_json::Value;

use crate::client::Client;
use crate::{Definition, outcome};

/// A tool that the owner knows.
#[derive(Debug)]
pub(crate) struct ForeignTool {
    spec: ToolSpec,
    definition: Definition,
    effect: ForeignEffect,
    fields: BTreeSet<String>,
    client: Arc<Client>,
}

impl ForeignTool {
    pub(crate) fn new(name: String, definition: Definition, client: Arc<Client>) -> Self {
        let declared = client.settings.critical.get(&definition.name);
        let misdeclared = declared.is_some_and(|declared| !definition.lacks(declared).is_empty());
        let critical = if misdeclared { definition.read_only.then(|| definition.arguments()) } else { declared.cloned() };
        let world = if definition.closed_world && client.settings.stays_here() { World::Closed } else { World::Open };
        let effect = match critical {
            critical if definition.read_only => ForeignEffect::ReadOnly { critical: critical.unwrap_or_default(), world },
            Some(critical) => ForeignEffect::Declared { critical },
            None => ForeignEffect::Undeclared,
        };
        let spec = ToolSpec {
            name,
            description: definition.description.clone(),
            parameters: definition.parameters.clone(),
            aliases: Aliases::default(),
        };
        let mut fields = BTreeSet::new();
        collect_fields(&Value::Object(definition.parameters.clone()), &mut fields);
        Self { spec, definition, effect, fields, client }
    }

    /// Arguments whose value is what the schema says they are when they are left out.
    fn usual(&self, call: Call<'_>) -> Vec<String> {
        let properties = self.definition.parameters.get("properties");
        let default = |name: &String| properties?.get(name)?.get("default");
        call.arguments.iter().filter(|(name, value)| default(name) == Some(value)).map(|(name, _)| name.clone()).collect()
    }

    async fn called(&self, action: Authorized<Action>, run: Run) -> Outcome {
        let server = &self.client.settings.id;
        match action.action() {
            Action::Call(call) if call.server == *server && call.tool == self.definition.name => {
                match self.client.call(&self.definition, call.arguments.clone(), &run.cancel).await {
                    Ok(result) => outcome::of(result, server, run.budget),
                    Err(error) => outcome::failed(&error, server),
                }
            }
            _ => Outcome::failed("this is no call of that tool"),
        }
    }
}

impl Tool for ForeignTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn spec_label(&self) -> Label {
        outcome::label(&self.client.settings.id)
    }

    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        let action = Action::Call(ForeignCall {
            server: self.client.settings.id.clone(),
            tool: self.definition.name.clone(),
            arguments: call.arguments.clone(),
            usual: self.usual(call),
            fields: self.fields.clone(),
            effect: self.effect.clone(),
        });
        std::future::ready(Ok(action)).boxed()
    }

    fn run<'a>(&'a self, action: Authorized<Action>, run: Run) -> BoxFuture<'a, Outcome> {
        self.called(action, run).boxed()
    }

    fn repeat(&self) -> Repeat {
        if self.definition.read_only { Repeat::Harmless } else { Repeat::Never }
    }
}

/// The keys that a schema names, wherever they stand in it.
fn collect_fields(schema: &Value, fields: &mut BTreeSet<String>) {
    match schema {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        Value::Array(items) => items.iter().for_each(|item| collect_fields(item, fields)),
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                fields.extend(properties.keys().cloned());
            }
            members.values().for_each(|member| collect_fields(member, fields));
        }
    }
}
