//! Pictures in the workspace.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use krabba_types::Image;

use crate::files::Failed;

/// The largest picture that models are shown, in bytes: what hosted ones take; a local one reads at a larger one for minutes.
const LARGEST: usize = 5 * 1024 * 1024;

/// The picture that these bytes are; `None` for something else.
pub(crate) fn picture(bytes: &[u8]) -> Result<Option<Image>, Failed> {
    let Some(media_type) = Image::media_type_of(bytes) else { return Ok(None) };
    if bytes.len() > LARGEST {
        return Err(Failed(format!(
            "the picture has {} bytes, and models are shown {LARGEST} at most; make it smaller first",
            bytes.len()
        )));
    }
    Ok(Some(Image { media_type: media_type.to_owned(), base64: STANDARD.encode(bytes) }))
}
