//! `krabba approvals …`: the owner's word on what waits for it, from any terminal.

use std::io::{IsTerminal, stdin, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use krabba_guard::{Answer, Delegated, Delegation, Monitor, OpenQuestion, Policy};
use krabba_store::Store;
use krabba_types::{Clock, SystemClock};
use serde_json::json;

use crate::assemble::Home;
use crate::cli::ApprovalsVerb;
use crate::failure::Failure;
use crate::terminal::printable_lines;

/// Who answered, in the audit.
const HERE: &str = "approvals";

/// Lists open questions or answers one. The turn that asked, whichever process it is in, sees the answer.
pub(crate) fn run(home: &Home, verb: Option<ApprovalsVerb>) -> Result<ExitCode> {
    let store =
        Store::open(&home.state_dir).with_context(|| format!("the state directory {} cannot be used", home.shown(&home.state_dir)))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let monitor = Monitor::new(Arc::new(store), Policy::default(), Arc::clone(&clock));
    match verb {
        None => list(&monitor, &*clock, false),
        Some(ApprovalsVerb::List { output }) => list(&monitor, &*clock, output.json),
        Some(ApprovalsVerb::Approve { id, typed, task }) => {
            let open = find(&monitor, &id)?;
            show(&open, &*clock);
            let words = match (&open.question.typed, typed) {
                (Some(words), None) if stdin().is_terminal() && stdout().is_terminal() => Some(ask_for(words)?),
                (_, typed) => typed,
            };
            let answer = match (words, task) {
                (Some(words), _) => Answer::Typed(words),
                (None, true) => Answer::ApproveTask,
                (None, false) => Answer::Approve,
            };
            monitor.settle(&open.question.id, &answer, HERE)?;
            let for_task = answer == Answer::ApproveTask;
            println!("{}", if for_task { "approved, and the like of it for the rest of this task" } else { "approved, this once" });
            Ok(ExitCode::SUCCESS)
        }
        Some(ApprovalsVerb::Deny { id }) => {
            let open = find(&monitor, &id)?;
            monitor.settle(&open.question.id, &Answer::Deny, HERE)?;
            println!("refused");
            Ok(ExitCode::SUCCESS)
        }
        Some(ApprovalsVerb::Delegate { from, tools, uses, hours }) => {
            if let Some(wrong) = tools.iter().find(|tool| !tool.contains("__")) {
                return Err(Failure::WhichQuestion(format!("\"{wrong}\" is no tool of an MCP server; krabba mcp list shows them")).into());
            }
            let delegation = Delegation { from, tools };
            let lasts = Duration::from_secs(u64::from(hours) * 3600);
            let id = monitor.delegate(&delegation, uses, lasts, HERE)?;
            println!("{id}: {}, {uses} times in the next {hours} hours", told(&delegation));
            println!("It covers nothing that cannot be undone. Take it back: krabba approvals take-back {id}");
            Ok(ExitCode::SUCCESS)
        }
        Some(ApprovalsVerb::TakeBack { id }) => {
            let mut matching = monitor.delegations()?;
            matching.retain(|delegated| !id.is_empty() && delegated.id.starts_with(&id));
            let [delegated] = matching.as_slice() else {
                return Err(Failure::WhichQuestion(format!(
                    "\"{id}\" names nothing that you let somebody decide, or several; krabba approvals list shows all"
                ))
                .into());
            };
            monitor.take_back_delegation(delegated, HERE)?;
            println!("taken back");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn told(delegation: &Delegation) -> String {
    printable_lines(&format!("what comes from {} may decide about {}", delegation.from, delegation.tools.join(", ")))
}

fn list(monitor: &Monitor, clock: &dyn Clock, json: bool) -> Result<ExitCode> {
    let (open, delegated) = (monitor.open_questions()?, monitor.delegations()?);
    if json {
        println!("{}", serde_json::to_string_pretty(&json!({ "count": open.len(), "approvals": open, "delegations": delegated }))?);
        return Ok(ExitCode::SUCCESS);
    }
    if open.is_empty() {
        println!("Nothing waits for your word.");
    }
    for open in &open {
        show(open, clock);
        match &open.question.typed {
            Some(words) => println!("  → krabba approvals approve {} --typed {}", open.question.id, quoted(words)),
            None => println!("  → krabba approvals approve {}", open.question.id),
        }
        println!("  → krabba approvals deny {}", open.question.id);
    }
    for Delegated { id, delegation, uses_left, expires } in &delegated {
        let hours = expires.since(clock.now()).as_secs().div_ceil(3600);
        println!("{id}  {}, {uses_left} times in the next {hours} hours", told(delegation));
        println!("  → krabba approvals take-back {id}");
    }
    Ok(ExitCode::SUCCESS)
}

/// As a shell takes it for what it is: a model had a say in it.
fn quoted(words: &str) -> String {
    format!("'{}'", words.replace('\'', r"'\''"))
}

fn show(open: &OpenQuestion, clock: &dyn Clock) {
    let left = open.question.expires.since(clock.now()).as_secs().div_ceil(60);
    println!("{}  (rule {}, session {}, a no in {left} min)", open.question.id, open.question.rule, open.session);
    open.question.lines.iter().for_each(|line| println!("  {line}"));
}

/// A question by its id, or by a beginning that only one has.
fn find(monitor: &Monitor, id: &str) -> Result<OpenQuestion> {
    let mut matching: Vec<OpenQuestion> =
        monitor.open_questions()?.into_iter().filter(|open| !id.is_empty() && open.question.id.starts_with(id)).collect();
    match (matching.pop(), matching.len()) {
        (Some(open), 0) => Ok(open),
        (Some(_), others) => Err(Failure::WhichQuestion(format!("{} questions begin with \"{id}\"; type more of it", others + 1)).into()),
        (None, _) => {
            let why = format!("no question \"{id}\" is open: it was answered, ran out, or never was; krabba approvals list shows all");
            Err(Failure::WhichQuestion(why).into())
        }
    }
}

fn ask_for(words: &str) -> Result<String> {
    println!("a yes is not enough: type \"{words}\" to have it done");
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}
