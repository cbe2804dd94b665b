use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use crate::service_log::ServiceLog;

#[test]
fn log_of_a_talkative_server_stays_bounded_and_private() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.log");
    let mut log = ServiceLog::open_rotating(&path, 20_000).unwrap();
    let mut server = log.writer().unwrap();
    for line in 0..10_000 {
        writeln!(server, "line {line}").unwrap();
        log.rotate();
    }
    let sizes: Vec<u64> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).collect();
    assert_eq!(sizes.len(), 2, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= 20_020), "{sizes:?}");
    for file in fs::read_dir(directory.path()).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let expected: Vec<String> = (9_980..10_000).map(|line| format!("line {line}")).collect();
    assert_eq!(log.last_lines(), expected);
}

#[test]
fn crash_right_after_a_rotation_still_has_last_lines() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = ServiceLog::open_rotating(&directory.path().join("s.log"), 10).unwrap();
    let mut server = log.writer().unwrap();
    writeln!(server, "loading the model").unwrap();
    log.rotate();
    assert_eq!(log.last_lines(), ["loading the model"]);
    writeln!(server, "oom").unwrap();
    assert_eq!(log.last_lines(), ["loading the model", "oom"]);
}

#[test]
fn lines_of_an_earlier_run_are_not_taken_for_this_ones() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.log");
    fs::write(&path, "error of yesterday\n").unwrap();
    assert_eq!(ServiceLog::open(&path).unwrap().last_lines(), Vec::<String>::new());
}

#[test]
fn endless_lines_and_last_words_without_a_line_end_are_shown_in_part() {
    let directory = tempfile::tempdir().unwrap();
    let log = ServiceLog::open(&directory.path().join("s.log")).unwrap();
    write!(log.writer().unwrap(), "{}\n\nCUDA out of memory", "x".repeat(100_000)).unwrap();
    assert_eq!(log.last_lines(), ["x".repeat(500), "CUDA out of memory".to_owned()]);
}
