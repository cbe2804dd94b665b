//! `sessions_spawn`: has a sub-agent do a task in a conversation of its own, and brings its answer.
//!
//! What the sub-agent reads on the way does not fill the window of who asks. OpenClaw's tool gives a receipt at once and the answer
//! later; on one model server the two would only take turns, so that here the call lasts as long as the work.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool, Worked};
use krabba_types::{Action, Spawn, ToolSpec};
use serde::Deserialize;
use serde_json::json;

use crate::arguments;

pub(crate) struct SessionsSpawn {
    spec: ToolSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    task: String,
    run_timeout_seconds: Option<u64>,
    /// Not a model's to choose.
    model: Option<String>,
    agent_id: Option<String>,
}

impl SessionsSpawn {
    pub(crate) fn new() -> Self {
        let properties = json!({"task": {"type": "string"}, "runTimeoutSeconds": {"type": "integer", "minimum": 1}});
        let description = "Have a sub-agent do a task in a conversation of its own, with the same tools, and get its answer. It knows \
                           nothing of this conversation: say in task all that it needs.";
        Self { spec: arguments::spec("sessions_spawn", description, properties, &["task"]) }
    }
}

fn planned(call: Call<'_>) -> Result<Action, Refusal> {
    let Arguments { task, run_timeout_seconds, model, agent_id } = arguments::read(call)?;
    if [model, agent_id].iter().flatten().any(|chosen| !chosen.is_empty()) {
        return Err(Refusal::new("a sub-agent is this agent again, with its model: leave out model and agentId".to_owned()));
    }
    if task.trim().is_empty() {
        return Err(Refusal::new("\"task\" is empty"));
    }
    Ok(Action::Spawn(Spawn { task, timeout_seconds: run_timeout_seconds }))
}

async fn spawn(action: Authorized<Action>, run: Run) -> Result<Outcome, String> {
    let Action::Spawn(Spawn { task, timeout_seconds }) = action.action() else { return Err("this is no task".to_owned()) };
    let helper = run.helper.ok_or("a sub-agent has none of its own; do it yourself")?;
    let limit = timeout_seconds.map(Duration::from_secs);
    let Worked { mut text, is_error, label } = helper.work(task.clone(), limit, run.cancel).await;
    if text.len() > run.budget {
        text.truncate(text.floor_char_boundary(run.budget));
        text.push_str("\n[… the rest is left out; ask for less, or have it written into a file …]");
    }
    Ok(Outcome { is_error, ..Outcome::done(text, label) })
}

impl Tool for SessionsSpawn {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        std::future::ready(planned(call)).boxed()
    }

    fn run<'a>(&'a self, action: Authorized<Action>, run: Run) -> BoxFuture<'a, Outcome> {
        async move { spawn(action, run).await.unwrap_or_else(Outcome::failed) }.boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Never
    }
}
