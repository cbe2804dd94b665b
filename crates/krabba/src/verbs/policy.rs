//! `krabba explain policy`: the very rules that decide, as a person reads them.

use std::process::ExitCode;

use anyhow::Result;
use krabba_guard::{Condition, ControlFiles, Policy, Rule, Sink};

use crate::cli::Output;

/// Prints the policy.
pub(crate) fn run(output: Output) -> Result<ExitCode> {
    let policy = Policy::default();
    if output.json {
        println!("{}", serde_json::to_string_pretty(&policy)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("What a model wants to do is decided by the first line below that fits. Where none fits, it is not done.");
    for sink in Sink::ALL {
        println!("\n{}", sink.words());
        policy.rules.iter().filter(|rule| rule.about.is_empty() || rule.about.contains(&sink)).for_each(print);
    }
    println!("\nFiles that steer: {}", ControlFiles::names().join(", "));
    println!("and everything below {}", ControlFiles::directories().join(", "));
    println!("A question waits {} minutes for an answer; silence is a no.", policy.patience.as_secs() / 60);
    Ok(ExitCode::SUCCESS)
}

fn print(rule: &Rule) {
    let met = rule.when.iter().map(|condition| condition.words().to_owned());
    let unmet = rule.unless.iter().map(|condition| format!("not: {}", Condition::words(*condition)));
    let conditions: Vec<String> = met.chain(unmet).collect();
    let when = if conditions.is_empty() { "else".to_owned() } else { format!("if {}", conditions.join(", and ")) };
    println!("  {when}: {}", rule.decision.words());
    println!("      because {} ({})", rule.why, rule.id);
}
