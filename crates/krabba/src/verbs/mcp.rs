//! `krabba mcp …`: the tools of MCP servers, and the owner's word on those that are not what they were.

use std::process::ExitCode;

use anyhow::Result;
use krabba_mcp::{Definition, Pin, Standing};
use serde_json::json;

use crate::assemble::{Home, World};
use crate::cli::McpVerb;
use crate::failure::Failure;
use crate::onboard;
use crate::terminal::printable_lines;

/// Lists the tools of the configured servers, or approves what waits.
pub(crate) async fn run(home: &Home, verb: McpVerb) -> Result<ExitCode> {
    let loaded = onboard::settings(home).await?;
    let world = World::assemble(home, loaded)?;
    let servers = world.mcp_servers()?;
    let mut code = ExitCode::SUCCESS;
    match verb {
        McpVerb::List { probe, output } => {
            let problems = if probe { servers.look().await.into_values().collect() } else { servers.meet(World::WHOLE).await? };
            let problems: Vec<String> = problems.iter().map(|problem| world.told(problem)).collect();
            if !problems.is_empty() {
                code = ExitCode::FAILURE;
            }
            let pins = servers.pins()?;
            if output.json {
                println!("{:#}", json!({ "count": pins.len(), "tools": pins, "problems": problems }));
            } else {
                list(&pins, &problems);
            }
        }
        McpVerb::Approve { ids, output } => {
            let pins = servers.pins()?;
            let mut approved = Vec::new();
            for id in &ids {
                let pin = find(&pins, id)?;
                if !servers.approve(pin)? {
                    return Err(gone(id));
                }
                approved.push(json!({ "id": pin.id, "server": pin.server, "tool": pin.tool }));
                if !output.json {
                    println!("{} of {} is used from now on, as it is now", printable_lines(&pin.tool), pin.server);
                }
            }
            if output.json {
                println!("{:#}", json!({ "approved": approved }));
            }
        }
    }
    servers.close().await;
    world.close().await;
    Ok(code)
}

fn list(pins: &[Pin], problems: &[String]) {
    if pins.is_empty() && problems.is_empty() {
        println!("No MCP server has offered a tool; mcp.servers in the configuration names servers.");
    }
    for pin in pins {
        let standing = match pin.standing {
            Standing::Approved => "used",
            Standing::Changed => "CHANGED, not used",
            Standing::New => "NEW, not used",
        };
        println!("{}  {} · {}  {standing}", pin.id, pin.server, printable_lines(&pin.tool));
        if pin.standing == Standing::Approved {
            continue;
        }
        for (when, definition) in [("was", &pin.approved), ("is", &pin.waiting)] {
            definition.iter().for_each(|definition| show(when, definition));
        }
        println!("  → krabba mcp approve {}", pin.id);
    }
    problems.iter().for_each(|problem| eprintln!("[{problem}]"));
}

/// All of it: what is not shown could be what changed.
fn show(when: &str, definition: &Definition) {
    let hints = match (definition.read_only, definition.closed_world) {
        (true, true) => "; it says that it only reads, and passes nothing on",
        (true, false) => "; it says that it only reads",
        (false, true) => "; it says that it passes nothing on",
        (false, false) => "",
    };
    println!("  {when}: {}{hints}", printable_lines(&definition.description).replace('\n', "\n      "));
    println!("      {}", printable_lines(&json!(definition.parameters).to_string()));
}

/// What waits under an id, or the beginning of one that nothing else has.
fn find<'p>(pins: &'p [Pin], id: &str) -> Result<&'p Pin> {
    let mut matching = pins.iter().filter(|pin| pin.waiting.is_some() && id.len() >= 8 && pin.id.starts_with(id));
    match (matching.next(), matching.next()) {
        (Some(pin), None) => Ok(pin),
        _ => Err(gone(id)),
    }
}

fn gone(id: &str) -> anyhow::Error {
    Failure::WhichQuestion(format!("no tool waits as \"{id}\"; krabba mcp list shows those that do")).into()
}
