//! Jan. It lists only started models, wants a key even locally, and answers 403 `Invalid host header` to any host name
//! but those it trusts. Nothing in its listing names it, so it is recognised by its port or by that complaint.

use krabba_types::ServerKind;

use crate::Report;
use crate::asker::{Answer, Asker};
use crate::report::ServerState;
use crate::servers::vllm;

/// By its complaint about the host name.
pub(crate) fn recognise(answer: &Answer) -> bool {
    answer.status == 403 && answer.complaint().starts_with("Invalid host header")
}

/// `first` is the answer to `/v1/models`.
pub(crate) async fn list(_asker: &mut Asker<'_>, first: Answer) -> Report {
    let mut report = Report::new(ServerKind::Jan);
    if recognise(&first) {
        report.state = ServerState::Failing {
            reason: "Jan refuses this host name; add the server's own host and port to \"Trusted hosts\" in its local API server settings"
                .to_owned(),
        };
        return report;
    }
    // Started is loaded, as with vLLM.
    report.models = first.success().map(vllm::parse).unwrap_or_default();
    report
}
