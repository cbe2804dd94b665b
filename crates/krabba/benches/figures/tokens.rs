//! How much later than at a bare client the first token comes, and how much longer the gaps between tokens are.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;

use crate::bare::Bare;
use crate::route::{Calls, Runs};
use crate::samples::{Samples, microseconds, milliseconds, more_microseconds, more_milliseconds};
use crate::server::{DELTAS, ONE_WORD, PACED, Server, UNPACED};
use crate::table::{Row, Table};

/// Answers of one word each, after [`WARM_UP`] that do not count.
const FIRST_TOKENS: usize = 1_000;
const WARM_UP: usize = 50;
/// Answers of [`DELTAS`] words at 20 ms, each 1.3 s long.
const PACED_ANSWERS: usize = 6;
/// Answers of [`DELTAS`] words in one go.
const UNPACED_ANSWERS: usize = 300;

/// The same measured on three ways to the model.
#[derive(Default)]
struct Ways {
    bare: Samples,
    calls: Samples,
    runs: Samples,
}

/// What is measured on.
struct Bench {
    runtime: Runtime,
    bare: Bare,
    calls: Calls,
    runs: Runs,
}

/// Measures first tokens and gaps.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let server = Server::start()?;
    let state = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bare = runtime.block_on(Bare::connect(server.address()?))?;
    let runs = runtime.block_on(Runs::to(server.url(), state.path()))?;
    let mut bench = Bench { runtime, bare, calls: Calls::to(server.url())?, runs };

    bench.each(ONE_WORD, WARM_UP, first)?;
    let firsts = bench.each(ONE_WORD, FIRST_TOKENS, first)?;
    first_token(table, "one call", &firsts.calls, &firsts.bare);
    first_token(table, "a run of the router", &firsts.runs, &firsts.bare);

    let paced = bench.each(PACED, PACED_ANSWERS, gaps)?;
    gap(table, "at 20 ms each", "one call", &paced.calls, &paced.bare);
    gap(table, "at 20 ms each", "a run of the router", &paced.runs, &paced.bare);
    let unpaced = bench.each(UNPACED, UNPACED_ANSWERS, mean_gap)?;
    gap(table, "unpaced", "one call", &unpaced.calls, &unpaced.bare);
    gap(table, "unpaced", "a run of the router", &unpaced.runs, &unpaced.bare);
    Ok(())
}

impl Bench {
    /// Asks `model` so often on each way, in turns.
    fn each<T: IntoIterator<Item = Duration>>(&mut self, model: &str, times: usize, take: fn(&[Duration]) -> T) -> Result<Ways> {
        let mut ways = Ways::default();
        let expected = if model == ONE_WORD { 1 } else { DELTAS };
        for _ in 0..times {
            let bare = self.runtime.block_on(self.bare.ask(model))?;
            let calls = self.runtime.block_on(self.calls.ask(model))?;
            let runs = self.runtime.block_on(self.runs.ask(model))?;
            for tokens in [&bare, &calls, &runs] {
                ensure!(tokens.len() == expected, "{} tokens of {model}, not {expected}", tokens.len());
            }
            ways.bare.extend(take(&bare));
            ways.calls.extend(take(&calls));
            ways.runs.extend(take(&runs));
        }
        Ok(ways)
    }
}

fn first(tokens: &[Duration]) -> Option<Duration> {
    tokens.first().copied()
}

fn gaps(tokens: &[Duration]) -> Vec<Duration> {
    tokens.iter().zip(tokens.iter().skip(1)).map(|(before, after)| after.saturating_sub(*before)).collect()
}

/// Tokens that come at once have gaps of nothing and of everything; only their mean says something.
fn mean_gap(tokens: &[Duration]) -> Option<Duration> {
    let whole = tokens.last()?.saturating_sub(*tokens.first()?);
    whole.checked_div(u32::try_from(tokens.len() - 1).ok()?)
}

fn first_token(table: &mut Table, way: &str, krabba: &Samples, bare: &Samples) {
    table.add(Row {
        figure: format!("time to first token, {way}"),
        krabba: milliseconds(krabba.median()),
        beside: format!("bare client {}", milliseconds(bare.median())),
        more: more_milliseconds(krabba.median() - bare.median()),
        goal: "≤ 0.3 ms more",
    });
}

fn gap(table: &mut Table, pace: &str, way: &str, krabba: &Samples, bare: &Samples) {
    table.add(Row {
        figure: format!("gap between {DELTAS} tokens {pace}, {way}"),
        krabba: format!("{} (p95 {})", microseconds(krabba.median()), microseconds(krabba.at(95))),
        beside: format!("bare client {} (p95 {})", microseconds(bare.median()), microseconds(bare.at(95))),
        more: more_microseconds(krabba.median() - bare.median()),
        goal: "no more",
    });
}
