//! Pictures as people name them.

use std::path::PathBuf;

use krabba_types::Image;

use crate::image::{FileAccess, ImageError, read_image};

const PNG: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A];

fn png() -> Image {
    Image { media_type: "image/png".to_owned(), base64: "iVBORw0KGgo=".to_owned() }
}

fn owner(home: Option<PathBuf>) -> FileAccess {
    FileAccess::Owner { home }
}

#[tokio::test]
async fn file_is_found_however_the_terminal_pasted_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("my crab.jpg");
    std::fs::write(&path, PNG).unwrap();
    let path = path.to_str().unwrap();
    for text in [path.to_owned(), format!("'{path}'"), format!("\"{path}\""), path.replace(' ', "\\ ")] {
        assert_eq!(read_image(&text, &owner(None)).await.unwrap(), png(), "{text}");
    }
    let home = owner(Some(directory.path().to_owned()));
    assert_eq!(read_image("~/my crab.jpg", &home).await.unwrap(), png());
}

#[tokio::test]
async fn stranger_cannot_name_files_of_this_machine() {
    assert!(matches!(read_image("/etc/hosts", &FileAccess::Refused).await, Err(ImageError::Refused)));
    let data = "data:image/png;base64,iVBORw0KGgo=";
    assert_eq!(read_image(data, &FileAccess::Refused).await.unwrap(), png());
}

#[tokio::test]
async fn what_is_no_picture_is_not_sent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.png");
    std::fs::write(&path, "secret").unwrap();
    let access = owner(None);
    assert!(matches!(read_image(path.to_str().unwrap(), &access).await, Err(ImageError::UnknownFormat { .. })));
    assert!(matches!(read_image(directory.path().to_str().unwrap(), &access).await, Err(ImageError::UnknownFormat { .. })));
    assert!(matches!(read_image("data:image/png;base64,###", &access).await, Err(ImageError::BrokenData { .. })));
    let error = read_image("/no/such.png", &access).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot read the picture /no/such.png: "), "{error}");
}

#[tokio::test]
async fn huge_file_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("huge.png");
    std::fs::File::create(&path).unwrap().set_len(21 * 1024 * 1024).unwrap();
    assert!(matches!(read_image(path.to_str().unwrap(), &owner(None)).await, Err(ImageError::TooLarge)));
}
