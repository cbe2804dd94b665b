//! `mlx_lm.server`. It has only `/v1/models` and a `/health` that says ok whether or not anything is loaded; it names no owner, and its
//! entries are what lies in the download cache. Windows are not told.

use krabba_types::ServerKind;

use crate::Report;
use crate::asker::{Answer, Asker};
use crate::servers::openai_style;

/// By the header of Python's own HTTP server.
pub(crate) fn recognise(answer: &Answer) -> bool {
    answer.server.starts_with("BaseHTTP") && openai_style::recognise(answer)
}

/// `first` is the answer to `/v1/models`. Which of them is loaded stays unknown.
pub(crate) async fn list(asker: &mut Asker<'_>, first: Answer) -> Report {
    openai_style::list(asker, first, ServerKind::Mlx).await
}
