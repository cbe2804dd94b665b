//! Jan. It lists only started models, wants a key even locally, and answers 403 `Invalid host header` to any host name
//! but those it trusts. Not every version names itself in its listing, so it is recognised by its port and by that complaint too.

use krabba_types::ServerKind;

use crate::Report;
use crate::asker::{Answer, Asker};
use crate::report::ServerState;
use crate::servers::{openai_style, vllm};

/// By the owner it names, or by its complaint about the host name.
pub(crate) fn recognise(answer: &Answer) -> bool {
    openai_style::owner(answer) == Some("jan") || refuses_host(answer)
}

fn refuses_host(answer: &Answer) -> bool {
    answer.status == 403 && answer.complaint().starts_with("Invalid host header")
}

/// `first` is the answer to `/v1/models`.
pub(crate) async fn list(_asker: &mut Asker<'_>, first: Answer) -> Report {
    let mut report = Report::new(ServerKind::Jan);
    if refuses_host(&first) {
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
