//! `krabba explain …`: why krabba does what it does.

use std::process::ExitCode;

use anyhow::{Context, Result};
use krabba_route::{Ask, Plan};
use krabba_types::{Clock, ModelRef, SessionId, SystemClock, grouped, signed};
use serde_json::json;

use crate::assemble::{Home, LimitRow, World};
use crate::cli::ExplainVerb;
use crate::onboard;

/// Explains routes, clocks or the prompt.
pub(crate) async fn run(home: &Home, verb: ExplainVerb) -> Result<ExitCode> {
    if let ExplainVerb::Policy { output } = verb {
        return super::policy::run(home, output);
    }
    let loaded = onboard::settings(home).await?;
    let world = World::assemble(home, loaded)?;
    world.router.look().await;
    let done = match verb {
        ExplainVerb::Route { reference, output } => route(&world, reference.as_deref(), output.json).await,
        ExplainVerb::Timeouts { reference, output } => timeouts(&world, reference.as_deref(), output.json).await,
        // Needs no world; printed above.
        ExplainVerb::Policy { .. } => Ok(()),
        ExplainVerb::Context { reference, session_id, output } => context(&world, reference.as_deref(), session_id, output.json).await,
    };
    world.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn plan(world: &World, reference: Option<&str>) -> Result<Plan> {
    let agent = world.agent(None)?;
    let model = match reference {
        Some(text) => Some(world.resolve(text).await?),
        None => None,
    };
    Ok(world.router.plan(&Ask { model, ..Ask::new(agent.id().clone()) }))
}

async fn route(world: &World, reference: Option<&str>, json: bool) -> Result<()> {
    let plan = plan(world, reference).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&plan)?);
        return Ok(());
    }
    if world.router.leads_away(&plan) {
        println!("conversations may go as far as: {}", plan.policy);
    }
    if plan.candidates.is_empty() {
        println!("nobody would be asked");
    }
    for (number, candidate) in plan.candidates.iter().enumerate() {
        let facts = world.router.facts(plan.agent(), &candidate.reference);
        println!("{}. {} ({})", number + 1, candidate.reference, candidate.why);
        println!("   {}, {}, {}", candidate.endpoint, facts.server.name(), candidate.residency);
        println!("   state: {}", super::state_words(candidate.state, SystemClock.now()));
        println!("   window: {}", facts.window.tokens());
        println!("   tools: {}", facts.tools_told());
        world.router.unlisted(&candidate.reference).iter().for_each(|unlisted| println!("   note: {unlisted}"));
    }
    for refused in &plan.refused {
        println!("not {}: {}", refused.reference, refused.why);
    }
    Ok(())
}

/// The model that a person means, or the one that would answer.
async fn meant(world: &World, reference: Option<&str>) -> Result<ModelRef> {
    match reference {
        Some(text) => world.resolve(text).await,
        None => {
            let first = plan(world, None).await?.candidates.into_iter().next();
            first.map(|candidate| candidate.reference).context("no model can be asked; `krabba explain route` says why")
        }
    }
}

async fn timeouts(world: &World, reference: Option<&str>, json: bool) -> Result<()> {
    let reference = meant(world, reference).await?;
    let table = world.router.timeouts(&reference).with_context(|| format!("there is no provider \"{}\"", reference.provider))?;
    let limits = world.turn_limits();
    if json {
        let mut shape = serde_json::to_value(&table)?;
        shape["turn"] = serde_json::to_value(&limits)?;
        println!("{}", serde_json::to_string_pretty(&shape)?);
        return Ok(());
    }
    println!("{table}");
    println!("limits of one turn, at which the model answers with what it has (agents.defaults.limits):");
    for LimitRow { name, limit, source } in limits {
        println!("  {name:<16} {:>8}  {source}", limit.map_or_else(|| "none".to_owned(), grouped));
    }
    Ok(())
}

async fn context(world: &World, reference: Option<&str>, session: Option<String>, json: bool) -> Result<()> {
    let (agent, _) = world.acting_agent(None, World::WHOLE).await?;
    let lane = match session {
        Some(id) => agent.session(SessionId::new(id)),
        None => agent.new_session(),
    };
    let inspection = match reference {
        Some(text) => lane.inspect_for(&world.resolve(text).await?).await?,
        None => lane.inspect().await?.context("no model can be asked; `krabba explain route` says why")?,
    };
    if json {
        let items: Vec<_> =
            inspection.items.iter().map(|item| json!({ "name": item.name, "bytes": item.bytes, "tokens": item.tokens })).collect();
        let shape = json!({
            "ref": inspection.reference,
            "window": inspection.window,
            "estimate": inspection.estimate,
            "items": items,
            "around": inspection.around,
            "cut": inspection.cut,
            "problem": inspection.problem,
            "leftOut": inspection.left_out,
            "toolsOff": inspection.off.iter().map(|(tool, by)| json!({ "tool": tool, "by": by })).collect::<Vec<_>>(),
        });
        println!("{}", serde_json::to_string_pretty(&shape)?);
        return Ok(());
    }
    println!("{}: about {} of {}", inspection.reference, grouped(inspection.estimate), inspection.window.tokens());
    for item in &inspection.items {
        let bytes = grouped(u64::try_from(item.bytes).unwrap_or(u64::MAX));
        println!("  {:<16} {:>8} tokens  {bytes:>10} bytes", item.name, grouped(item.tokens));
    }
    if inspection.around != 0 {
        println!("  {:<16} {:>8} tokens", "around them", signed(inspection.around));
    }
    inspection.cut.iter().for_each(|cut| println!("  to fit, it would {cut}"));
    inspection.problem.iter().for_each(|problem| println!("  it cannot be sent: {problem}"));
    inspection.left_out.iter().for_each(|line| println!("  {line}"));
    inspection.off.iter().for_each(|(tool, place)| println!("  without the tool {tool}: off by {place}"));
    Ok(())
}
