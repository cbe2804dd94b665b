//! Against real processes: `sh`, and `python3 -m http.server` as the server.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use krabba_types::Secret;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::test_server::{Reply, TestServer, client};
use crate::{ServiceError, ServiceSettings, ServiceState, Services};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn shell(script: &str, port: u16) -> ServiceSettings {
    let mut settings = ServiceSettings::new("box", "/bin/sh", &format!("http://127.0.0.1:{port}")).unwrap();
    settings.args = vec!["-c".to_owned(), script.to_owned()];
    settings.health_url = format!("http://127.0.0.1:{port}/");
    settings.ready_timeout = Duration::from_secs(30);
    settings
}

/// A server with a helper process; each start adds a line to `starts`, and the helper's id goes to `helper`.
fn python(directory: &Path, port: u16) -> ServiceSettings {
    let directory = directory.display();
    shell(
        &format!(
            "echo start $COLOUR >> {directory}/starts; sleep 1000 & echo $! > {directory}/helper; echo serving; \
             python3 -m http.server --bind 127.0.0.1 --directory {directory} {port}"
        ),
        port,
    )
}

fn helper_lives(directory: &Path) -> bool {
    let id = fs::read_to_string(directory.join("helper")).unwrap().trim().parse().unwrap();
    // A killed process whose parent is gone may wait for its reaper; then it is a zombie.
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    kill(Pid::from_raw(id), None).is_ok() && !stat.contains(") Z ")
}

/// The command lines of running programs that name `directory`. (Ports are no proof: another test may have one by now.)
fn programs_of(directory: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.map(|process| fs::read(process.path().join("cmdline")).unwrap_or_default());
    let named = directory.to_str().unwrap();
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).filter(|line| line.contains(named)).collect()
}

async fn reaches(services: &Services, wanted: ServiceState) {
    let mut state = services.state("box").expect("a service");
    tokio::time::timeout(Duration::from_secs(30), state.wait_for(|state| *state == wanted)).await.expect("in time").expect("alive");
}

#[tokio::test]
async fn many_who_need_a_server_start_it_once_and_all_of_it_is_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut settings = python(directory.path(), port);
    settings.env = vec![("COLOUR".to_owned(), Secret::new("red"))];
    let services = Services::new(client(), &directory.path().join("state"));
    let leases = futures_util::future::join_all((0..5).map(|_| services.lease(&settings))).await;
    assert!(leases.iter().all(Result::is_ok), "{leases:?}");
    assert_eq!(fs::read_to_string(directory.path().join("starts")).unwrap(), "start red\n");
    assert!(helper_lives(directory.path()));
    reaches(&services, ServiceState::Ready).await;
    services.shutdown().await;
    assert!(!helper_lives(directory.path()));
    assert_eq!(programs_of(directory.path()), Vec::<String>::new());
    let log = fs::read_to_string(directory.path().join("state/services/box.log")).unwrap();
    assert!(log.starts_with("serving\n"), "{log}");
}

#[tokio::test]
async fn idle_server_is_stopped_after_its_last_lease_and_started_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = python(directory.path(), free_port());
    settings.idle_stop = Some(Duration::from_millis(50));
    let services = Services::new(client(), directory.path());
    let first = services.lease(&settings).await.expect("started");
    let second = services.lease(&settings).await.expect("running");
    drop(first);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(*services.state("box").unwrap().borrow(), ServiceState::Ready, "one lease is left");
    drop(second);
    reaches(&services, ServiceState::Stopped).await;
    let _again = services.lease(&settings).await.expect("started again");
    assert_eq!(fs::read_to_string(directory.path().join("starts")).unwrap().lines().count(), 2);
    services.shutdown().await;
}

#[tokio::test]
async fn crash_while_starting_is_reported_with_its_last_lines() {
    let directory = tempfile::tempdir().unwrap();
    let services = Services::new(client(), directory.path());
    let settings = shell("echo loading; echo 'error: model.gguf not found' >&2; exit 3", free_port());
    let error = services.lease(&settings).await.expect_err("crashed");
    let ServiceError::Crashed(report) = &error else { panic!("{error:?}") };
    let mut lines = report.last_lines.clone();
    lines.sort();
    assert_eq!((report.status.as_str(), lines), ("exit status: 3", vec!["error: model.gguf not found".to_owned(), "loading".to_owned()]));
    let shown = error.to_string();
    assert!(
        shown.starts_with("box ended by itself (exit status: 3); its log is ") && shown.contains("\n  error: model.gguf not found"),
        "{shown}"
    );
    reaches(&services, ServiceState::Crashed(report.clone())).await;
}

#[tokio::test]
async fn crash_later_is_told_to_those_who_use_it() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let script = format!(
        "python3 -m http.server --bind 127.0.0.1 --directory {0} {port} & echo serving; while [ ! -e {0}/crash ]; do sleep 0.05; done; echo 'CUDA error' >&2; kill -9 $$",
        directory.path().display()
    );
    let services = Services::new(client(), directory.path());
    let lease = services.lease(&shell(&script, port)).await.expect("started");
    assert_eq!(lease.crash(), None);
    fs::write(directory.path().join("crash"), "").unwrap();
    let mut state = services.state("box").unwrap();
    let crashed = state.wait_for(|state| matches!(state, ServiceState::Crashed(_)));
    tokio::time::timeout(Duration::from_secs(30), crashed).await.expect("in time").expect("alive");
    let report = lease.crash().expect("a report");
    assert_eq!(report.status, "signal: 9 (SIGKILL)");
    assert_eq!(report.last_lines.last().map(String::as_str), Some("CUDA error"));
    assert_eq!(programs_of(directory.path()), Vec::<String>::new(), "what it left behind is gone");
}

#[tokio::test]
async fn server_that_never_answers_is_stopped_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings =
        shell(&format!("sleep 1000 & echo $! > {}/helper; echo still compiling; wait", directory.path().display()), free_port());
    settings.ready_timeout = Duration::from_millis(600);
    let services = Services::new(client(), directory.path());
    let error = services.lease(&settings).await.expect_err("not ready");
    let ServiceError::NotReady { last_lines, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*last_lines, ["still compiling"]);
    assert!(!helper_lives(directory.path()));
}

#[tokio::test]
async fn server_that_runs_already_is_neither_started_nor_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let server = TestServer::start(|_| Reply::json(200, "{}")).await;
    let settings = shell(&format!("touch {}/started", directory.path().display()), server.port());
    let services = Services::new(client(), directory.path());
    let _lease = services.lease(&settings).await.expect("usable");
    reaches(&services, ServiceState::Foreign).await;
    services.shutdown().await;
    assert!(!directory.path().join("started").exists());
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_ok());
}

#[tokio::test]
async fn second_krabba_waits_for_the_first_ones_server() {
    let directory = tempfile::tempdir().unwrap();
    let settings = python(directory.path(), free_port());
    let (one, other) = (Services::new(client(), directory.path()), Services::new(client(), directory.path()));
    let (first, second) = tokio::join!(one.lease(&settings), other.lease(&settings));
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    assert_eq!(fs::read_to_string(directory.path().join("starts")).unwrap().lines().count(), 1);
    one.shutdown().await;
    other.shutdown().await;
}

#[tokio::test]
async fn server_of_a_killed_krabba_is_adopted_and_not_started_twice() {
    let directory = tempfile::tempdir().unwrap();
    let settings = python(directory.path(), free_port());
    // Stands in for a krabba that was killed: what it started, and the file that it left.
    let state = directory.path().join("services");
    fs::create_dir_all(&state).unwrap();
    #[allow(clippy::disallowed_methods, reason = "the test is the owner of this process, through the services that adopt it")]
    let orphan = std::process::Command::new("/bin/sh")
        .args(["-c", &format!("setsid /bin/sh -c '{}' >/dev/null 2>&1 & echo $!", settings.args[1])])
        .output()
        .unwrap();
    let id: i32 = String::from_utf8(orphan.stdout).unwrap().trim().parse().unwrap();
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let started = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned();
    fs::write(state.join("box.pid"), format!("{id} {started}\n")).unwrap();
    let services = Services::new(client(), directory.path());
    let _lease = services.lease(&settings).await.expect("usable");
    reaches(&services, ServiceState::Ready).await;
    assert_eq!(fs::read_to_string(directory.path().join("starts")).unwrap().lines().count(), 1);
    services.shutdown().await;
    assert!(!helper_lives(directory.path()), "what was adopted is stopped");
}

#[tokio::test]
async fn process_id_used_again_by_another_program_is_not_adopted() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("services");
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("box.pid"), format!("{} 1\n", std::process::id())).unwrap();
    let services = Services::new(client(), directory.path());
    let _lease = services.lease(&python(directory.path(), free_port())).await.expect("started");
    assert_eq!(fs::read_to_string(directory.path().join("starts")).unwrap().lines().count(), 1);
    services.shutdown().await;
}

#[tokio::test]
async fn dropped_services_leave_no_process_behind() {
    let directory = tempfile::tempdir().unwrap();
    let settings = python(directory.path(), free_port());
    let services = Services::new(client(), directory.path());
    let lease = services.lease(&settings).await.expect("started");
    drop((services, lease));
    // The aborted task is dropped by the runtime, at its next turn.
    while helper_lives(directory.path()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn command_that_cannot_run_says_which() {
    let directory = tempfile::tempdir().unwrap();
    let relative = ServiceSettings::new("box", "llama-server", "http://127.0.0.1:1");
    assert!(matches!(relative, Err(ServiceError::NotAbsolute { .. })));
    let settings = ServiceSettings::new("box", "/nowhere/llama-server", &format!("http://127.0.0.1:{}", free_port())).unwrap();
    let error = Services::new(client(), directory.path()).lease(&settings).await.expect_err("no such program");
    assert_eq!(error.to_string(), "cannot start box (/nowhere/llama-server): No such file or directory (os error 2)");
}
