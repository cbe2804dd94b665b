//! The program that serves a script file by hand.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

#[allow(clippy::disallowed_methods, reason = "this test owns the program for its whole life and ends it")]
fn run(arguments: &[&str]) -> Child {
    let program = env!("CARGO_BIN_EXE_scripted-server");
    Command::new(program).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[tokio::test]
async fn the_program_serves_the_file_and_prints_its_url() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"{rules: [{steps: [{text: 'from a file'}, 'end']}]}").unwrap();
    let mut child = run(&[file.path().to_str().unwrap()]);
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let body = crate::support::user("m", "hi").to_string();
    let response = crate::support::client().post(format!("{}/v1/chat/completions", url.trim())).body(body).send().await.unwrap();
    assert!(response.text().await.unwrap().contains("from a file"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_broken_script_is_named_with_its_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"{\n  rulez: [],\n}").unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let output = run(&[&path]).wait_with_output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && message.contains(&path) && message.contains("line 2"), "{message}");
}
