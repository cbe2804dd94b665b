//! A picture that a person names: a file on this machine, or a `data:` URL.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use krabba_types::Image;

/// The largest picture, in bytes. Hosted models refuse more; a local one would read it for minutes.
const LARGEST: u64 = 20 * 1024 * 1024;

/// Whether a person may name files of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileAccess {
    /// The owner at this machine; `~` is their home directory.
    Owner {
        /// What `~` stands for.
        home: Option<PathBuf>,
    },
    /// Somebody elsewhere, who sends pictures and does not name files here.
    Refused,
}

/// Why a picture cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be read.
    #[error("cannot read the picture {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Files of this machine are not for everybody.
    #[error("pictures can be named by their file only at the machine itself; send the picture instead")]
    Refused,
    /// It is too large.
    #[error("the picture is larger than 20 MB; make it smaller first")]
    TooLarge,
    /// It is none that models understand.
    #[error("\"{name}\" is no PNG, JPEG, WebP or GIF picture; convert it first")]
    UnknownFormat {
        /// What was named.
        name: String,
    },
    /// The text behind `data:` is broken.
    #[error("the data: URL is not base64; use data:image/png;base64,… or the path of a file")]
    BrokenData {
        /// What is wrong with it; `None` when it does not even say base64.
        source: Option<base64::DecodeError>,
    },
}

/// Reads the picture that `source` names.
///
/// # Errors
/// When there is no such file, it is too large, or no picture that models understand.
pub async fn read_image(source: &str, access: &FileAccess) -> Result<Image, ImageError> {
    if let Some(data) = source.strip_prefix("data:") {
        return from_data_url(data);
    }
    let FileAccess::Owner { home } = access else { return Err(ImageError::Refused) };
    let path = path_of(source, home.as_deref());
    let unreadable = |source| ImageError::Unreadable { path: path.clone(), source };
    let metadata = tokio::fs::metadata(&path).await.map_err(unreadable)?;
    if metadata.len() > LARGEST {
        return Err(ImageError::TooLarge);
    }
    // A pipe or a device would be read for ever.
    if !metadata.is_file() {
        return Err(ImageError::UnknownFormat { name: source.to_owned() });
    }
    let bytes = tokio::fs::read(&path).await.map_err(unreadable)?;
    from_bytes(&bytes, source)
}

fn from_data_url(data: &str) -> Result<Image, ImageError> {
    let (_, encoded) = data.split_once(";base64,").ok_or(ImageError::BrokenData { source: None })?;
    if u64::try_from(encoded.len()).unwrap_or(u64::MAX) > LARGEST.saturating_mul(4) / 3 {
        return Err(ImageError::TooLarge);
    }
    let bytes = STANDARD.decode(encoded.trim()).map_err(|error| ImageError::BrokenData { source: Some(error) })?;
    from_bytes(&bytes, "the data: URL")
}

fn from_bytes(bytes: &[u8], name: &str) -> Result<Image, ImageError> {
    let media_type = Image::media_type_of(bytes).ok_or_else(|| ImageError::UnknownFormat { name: name.to_owned() })?;
    Ok(Image { media_type: media_type.to_owned(), base64: STANDARD.encode(bytes) })
}

/// A path as terminals paste it when a file is dropped on them: in quotes, or with a backslash before each space.
fn path_of(text: &str, home: Option<&Path>) -> PathBuf {
    let quoted = ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    let plain = match quoted {
        Some(inner) => inner.to_owned(),
        None => text.replace("\\ ", " "),
    };
    match (plain.strip_prefix("~/"), home) {
        (Some(behind), Some(home)) => home.join(behind),
        (_, _) => PathBuf::from(plain),
    }
}
