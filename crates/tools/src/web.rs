//! What the tools that ask somebody on the web have in common.

use std::time::Duration;

use krabba_tool::{Outcome, Run};
use krabba_types::Label;

use crate::files::Failed;

/// What comes of asking `origin`, who has a say in what goes wrong too. It ends after `limit`, or with the turn.
pub(crate) async fn asked(run: &Run, limit: Duration, origin: &str, work: impl Future<Output = Result<Outcome, Failed>>) -> Outcome {
    let failed = |why: String| Outcome { label: Label::untrusted(origin), ..Outcome::failed(why) };
    tokio::select! {
        () = run.cancel.cancelled() => Outcome::failed("stopped"),
        () = tokio::time::sleep(limit) => failed(format!("it took longer than {} s", limit.as_secs())),
        done = work => done.unwrap_or_else(|Failed(why)| failed(why)),
    }
}
