//! What a token costs the thread that receives it, while many answers stream at once.
//!
//! All work of a call, the connection's included, is done on the thread that polls it; the kernel's part of it counts too. The
//! server has a process of its own.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use nix::time::ClockId;

use crate::bare::Bare;
use crate::route::Calls;
use crate::samples::{Samples, microseconds};
use crate::server::{DELTAS, PACED, Server};
use crate::table::{Row, Table};

/// Answers at once.
const STREAMS: usize = 256;
/// Pairs, after one that does not count.
const ROUNDS: usize = 5;

/// Measures the CPU time of a token.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let server = Server::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut bare, mut krabba) = (Samples::default(), Samples::default());
    for round in 0..=ROUNDS {
        let calls = Calls::to(server.url())?;
        let plain = runtime.block_on(cpu_per_token(|| bare_answer(server.address())))?;
        let ours = runtime.block_on(cpu_per_token(|| calls.ask(PACED)))?;
        if round > 0 {
            bare.add(plain);
            krabba.add(ours);
        }
    }
    table.add(Row {
        figure: format!("CPU per token, {STREAMS} answers at once, {DELTAS} tokens each at 20 ms"),
        krabba: microseconds(krabba.median()),
        beside: format!("bare client {}", microseconds(bare.median())),
        more: format!("× {:.1}", krabba.median() / bare.median()),
        goal: "≤ 25 µs",
    });
    Ok(())
}

async fn bare_answer(address: Result<SocketAddr>) -> Result<Vec<Duration>> {
    Bare::connect(address?).await?.ask(PACED).await
}

/// The CPU time of this thread for [`STREAMS`] answers, connecting included, divided by their tokens.
async fn cpu_per_token<F: Future<Output = Result<Vec<Duration>>>>(answer: impl Fn() -> F) -> Result<Duration> {
    let before = Duration::from(ClockId::CLOCK_THREAD_CPUTIME_ID.now()?);
    let answers = try_join_all((0..STREAMS).map(|_| answer())).await?;
    let took = Duration::from(ClockId::CLOCK_THREAD_CPUTIME_ID.now()?).saturating_sub(before);
    let tokens: usize = answers.iter().map(Vec::len).sum();
    ensure!(tokens == STREAMS * DELTAS, "{tokens} tokens, not {}", STREAMS * DELTAS);
    Ok(took / u32::try_from(tokens)?)
}
