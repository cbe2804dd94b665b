//! What the agent acts with: its workspace, the servers of its tools, its search engine.

use krabba_mcp::Standing;
use krabba_tools::Workspace;

use super::Findings;
use crate::assemble::{Home, World};

pub(super) async fn look(home: &Home, world: &World, findings: &mut Findings) {
    workspace(home, world, findings);
    if let Err(error) = servers(world, findings).await {
        findings.problem("the MCP servers were not looked at", format!("{error:#}"));
    }
    if let Some(search) = world.search() {
        match search.look().await {
            Ok(()) => findings.ok(format!("search engine {}", search.endpoint)),
            Err(why) => findings.problem(format!("search engine {}: {why}", search.endpoint), "start it, or mend tools.web.search"),
        }
    }
}

fn workspace(home: &Home, world: &World, findings: &mut Findings) {
    let path = world.workspace();
    let shown = home.shown(&path);
    if path.symlink_metadata().is_err() {
        findings.ok(format!("workspace {shown}, made when it is needed"));
        return;
    }
    match Workspace::open(&path) {
        Ok(_) => findings.ok(format!("workspace {shown}")),
        Err(error) => findings.problem(format!("workspace {shown}: {error}"), "name another directory in agents.defaults.workspace"),
    }
}

/// Each is started, or reached, and asked what it offers.
async fn servers(world: &World, findings: &mut Findings) -> anyhow::Result<()> {
    if world.loaded.config.mcp.servers.iter().next().is_none() {
        return Ok(());
    }
    let servers = world.mcp_servers()?;
    let problems = servers.look().await;
    let pins = servers.pins()?;
    for id in servers.ids() {
        if let Some(problem) = problems.get(id) {
            findings.problem(world.told(problem), format!("mend mcp.servers.{id}, or switch it off"));
            continue;
        }
        let (used, waiting): (Vec<_>, Vec<_>) =
            pins.iter().filter(|pin| pin.server == id).partition(|pin| pin.standing == Standing::Approved);
        findings.ok(format!("MCP server {id}: {} tools are used", used.len()));
        if !waiting.is_empty() {
            findings.note(format!("MCP server {id}: {} tools wait for your word", waiting.len()), "krabba mcp list");
        }
    }
    servers.close().await;
    Ok(())
}
