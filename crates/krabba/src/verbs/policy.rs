//! `krabba explain policy`: the very rules that decide, as a person reads them, and which tools the owner left on.

use std::process::ExitCode;

use anyhow::Result;
use krabba_config::Loaded;
use krabba_guard::{AddressBook, Condition, ControlFiles, Rule, Sink};
use krabba_tool::{Keeps, Selection, Step};
use serde_json::json;

use crate::assemble::{Home, default_agent, policy, selection};
use crate::cli::Output;

/// Prints the policy.
pub(crate) fn run(home: &Home, output: Output) -> Result<ExitCode> {
    let loaded = if home.has_file() { home.load()? } else { home.load_text("{}")? };
    let policy = policy(&loaded);
    let tools = tools(&loaded);
    if output.json {
        let mut told = serde_json::to_value(&policy)?;
        if let Some(members) = told.as_object_mut() {
            members.insert("tools".to_owned(), json!(tools.steps));
        }
        println!("{}", serde_json::to_string_pretty(&told)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("What a model wants to do is decided by the first line below that fits. Where none fits, it is not done.");
    for sink in Sink::ALL {
        println!("\n{}", sink.words());
        policy.rules.iter().filter(|rule| rule.about.is_empty() || rule.about.contains(&sink)).for_each(print);
    }
    println!("\nWhatever is decided above, tools keep to these:");
    policy.tool_rules.iter().for_each(|rule| println!("  {} ({})", rule.why, rule.id));
    println!("\nFiles that steer: {}", ControlFiles::names().join(", "));
    println!("and everything below {}", ControlFiles::directories().join(", "));
    println!("A question waits {} minutes for an answer; silence is a no.", policy.patience.as_secs() / 60);
    print_people(&policy.people);
    print_tools(&tools);
    Ok(ExitCode::SUCCESS)
}

fn tools(loaded: &Loaded) -> Selection {
    selection(loaded, default_agent(loaded))
}

fn print(rule: &Rule) {
    let met = rule.when.iter().map(|condition| condition.words().to_owned());
    let unmet = rule.unless.iter().map(|condition| format!("not: {}", Condition::words(*condition)));
    let conditions: Vec<String> = met.chain(unmet).collect();
    let when = if conditions.is_empty() { "else".to_owned() } else { format!("if {}", conditions.join(", and ")) };
    println!("  {when}: {}", rule.decision.words());
    println!("      because {} ({})", rule.why, rule.id);
}

fn print_people(people: &AddressBook) {
    let listed: Vec<String> = people.iter().map(|(name, addresses)| format!("{name} ({})", addresses.join(", "))).collect();
    if listed.is_empty() {
        println!("Your address book (addressBook) is empty.");
    } else {
        println!("Your address book: {}", listed.join("; "));
    }
}

fn print_tools(tools: &Selection) {
    if tools.steps.is_empty() {
        println!("All tools are on (tools.profile, tools.allow and tools.deny leave some out).");
        return;
    }
    println!("\nTools that are on pass each of these, in this order:");
    for Step { place, route, names, keeps } in &tools.steps {
        let whom = route.as_ref().map(|route| format!(" for {route}")).unwrap_or_default();
        let what = match keeps {
            Keeps::These => "only",
            Keeps::Others => "all but",
        };
        println!("  {what} {}{whom}: {place}", names.join(", "));
    }
}
