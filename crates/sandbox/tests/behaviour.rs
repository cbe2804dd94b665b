//! Commands on the best rung that this machine offers.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test ends where its set-up fails, and says what was not run")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use krabba_guard::{Authorized, Decoys, Monitor, Policy, Principal, Said, Scene, Source, Verdict};
use krabba_sandbox::{
    ChangeKind, Child, Ended, How, Limit, Limits, Piece, Reach, Rung, Sandbox, SandboxError, ServerCommand, Settings, Stream,
};
use krabba_store::Store;
use krabba_types::{Action, AgentId, Exec, ExecChanges, ExecMode, ExecStdio, Label, SessionId, SystemClock, TurnId, WorkspacePath};
use tokio::io::AsyncReadExt as _;

/// A workspace beside a scratch directory, a place that is hidden and one that is nobody's business.
struct Room {
    _place: tempfile::TempDir,
    root: PathBuf,
    settings: Settings,
    sandbox: Sandbox,
}

impl Room {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let place = tempfile::Builder::new().prefix("krabba-sandbox").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let root = fs::canonicalize(place.path()).unwrap();
        for directory in ["workspace", "scratch", "secret"] {
            fs::create_dir(root.join(directory)).unwrap();
        }
        fs::write(root.join("secret/key"), "sesame").unwrap();
        fs::write(root.join("workspace/notes.md"), "hello\n").unwrap();
        fs::write(root.join("workspace/AGENTS.md"), "be good\n").unwrap();
        let mut settings = Settings::new(root.join("workspace"), root.join("scratch"));
        settings.hidden = vec![root.join("secret")];
        settings.limits = Limits { longest: Duration::from_secs(60), output_bytes: 100_000, ..Limits::default() };
        change(&mut settings);
        Self { sandbox: Sandbox::new(settings.clone()).unwrap(), settings, _place: place, root }
    }

    /// As another process has it.
    fn another(&self) -> Sandbox {
        Sandbox::new(self.settings.clone()).unwrap()
    }

    /// Replaces a file as editors do.
    fn put(&self, path: &str, content: &str) {
        let path = self.root.join("workspace").join(path);
        fs::write(self.root.join("put"), content).unwrap();
        fs::rename(self.root.join("put"), path).unwrap();
    }

    /// Whether commands that may make files are kept from making some.
    async fn fills(&self) -> bool {
        let standing = self.sandbox.standing().await;
        let fills = standing.rung.is_some_and(|rung| rung != Rung::LandlockSeccomp);
        if !fills {
            println!("not run: {standing}");
        }
        fills
    }

    async fn run(&self, command: &str) -> Done {
        let child = self.sandbox.spawn(allowed(exec(command), &Label::Owner)).await.unwrap();
        finish(child).await
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join("workspace").join(path)).ok()
    }
}

/// What a command came to.
#[derive(Debug)]
struct Done {
    output: String,
    cut: bool,
    ended: Ended,
}

fn exec(command: &str) -> Exec {
    Exec {
        command: command.to_owned(),
        directory: WorkspacePath::root(),
        environment: BTreeMap::new(),
        mode: ExecMode::Foreground,
        stdio: ExecStdio::Pipes,
        timeout_seconds: 30,
        hosts: Vec::new(),
        changes: ExecChanges::Separable,
        label: Label::Minted,
    }
}

/// The monitor's word on a command in a context of this label.
fn allowed(exec: Exec, label: &Label) -> Authorized<Exec> {
    let monitor = Monitor::new(Arc::new(Store::open_in_memory().unwrap()), Policy::default(), Arc::new(SystemClock));
    let said = vec![Said { source: Source::Typed, label: label.clone(), text: "do it".to_owned() }];
    let scene = Scene {
        agent: AgentId::new("main"),
        session: SessionId::new("s"),
        turn: TurnId::new("t"),
        principal: Principal::Owner,
        label: label.clone(),
        said,
        structured: Vec::new(),
    };
    match monitor.judge(Action::Run(exec), &scene).unwrap() {
        Verdict::Allowed(authorized) => authorized.into_exec().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Starts one that says a word, and then waits for a line.
async fn waiting(sandbox: &Sandbox, then: &str) -> Child {
    let mut child = sandbox.spawn(allowed(exec(&format!("echo begun; read line; {then}")), &Label::Owner)).await.unwrap();
    assert_eq!(child.output.next().await, Some(Piece::Bytes(Stream::Output, b"begun\n".to_vec())));
    child
}

async fn finish(mut child: Child) -> Done {
    drop(child.input);
    let mut output = Vec::new();
    let mut cut = false;
    while let Some(piece) = child.output.next().await {
        match piece {
            Piece::Bytes(_, bytes) => output.extend(bytes),
            Piece::Cut => cut = true,
        }
    }
    let ended = child.process.wait().await;
    Done { output: String::from_utf8_lossy(&output).into_owned(), cut, ended }
}

fn exited(code: i32) -> Ended {
    Ended { how: How::Exited(code), limit: None, left_running: false }
}

#[tokio::test]
async fn command_runs_in_the_workspace_and_its_changes_stay() {
    let room = Room::new();
    let done = room.run("pwd; cat notes.md; echo more >> notes.md; mkdir -p a/b && echo x > a/b/c; echo oops >&2; exit 3").await;
    assert_eq!(done.ended, exited(3));
    for line in [room.root.join("workspace").to_str().unwrap(), "hello", "oops"] {
        assert!(done.output.contains(line), "{done:?}");
    }
    assert_eq!(room.read("notes.md").as_deref(), Some("hello\nmore\n"));
    assert_eq!(room.read("a/b/c").as_deref(), Some("x\n"));
}

#[tokio::test]
async fn whoever_stops_waiting_for_an_end_hears_of_it_later() {
    let room = Room::new();
    for _ in 0..30 {
        let mut child = room.sandbox.spawn(allowed(exec("exit 3"), &Label::Owner)).await.unwrap();
        // Asked again and again, each time only for what is known already.
        let ended = loop {
            if let Ok(ended) = tokio::time::timeout(Duration::ZERO, child.process.wait()).await {
                break ended;
            }
            tokio::time::sleep(Duration::from_micros(100)).await;
        };
        assert_eq!(ended, exited(3));
    }
}

#[tokio::test]
async fn this_machine_says_what_it_offers() {
    let room = Room::new();
    let standing = room.sandbox.standing().await;
    println!("{standing}");
    assert!(standing.rung.is_some(), "{standing}");
}

#[tokio::test]
async fn nothing_runs_where_nothing_keeps_it_in() {
    let room = Room::with(|settings| settings.rungs.clear());
    let refused = room.sandbox.spawn(allowed(exec("echo hi > new"), &Label::Owner)).await.unwrap_err();
    assert!(matches!(&refused, SandboxError::Refused { why } if why.contains("switched off")), "{refused:?}");
    assert_eq!(room.read("new"), None);
}

#[tokio::test]
async fn last_rung_holds_too() {
    let room = Room::with(|settings| settings.rungs = vec![Rung::LandlockSeccomp]);
    if room.sandbox.standing().await.rung.is_none() {
        println!("not run: {}", room.sandbox.standing().await);
        return;
    }
    let secret = room.root.join("secret/key");
    let done =
        room.run(&format!("cat {0}; echo x > {0}; echo more >> notes.md; exec 3<>/dev/tcp/127.0.0.1/9; echo end", secret.display())).await;
    assert!(!done.output.contains("sesame"), "{done:?}");
    assert_eq!(fs::read_to_string(&secret).unwrap(), "sesame");
    assert_eq!(room.read("notes.md").as_deref(), Some("hello\nmore\n"));
}

#[tokio::test]
async fn no_network_of_any_kind() {
    let room = Room::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    tcp.set_nonblocking(true).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    let unix = room.root.join("socket");
    let listener = UnixListener::bind(&unix).unwrap();
    listener.set_nonblocking(true).unwrap();
    let python = format!(
        "import socket\nfor make in (lambda: socket.create_connection(('127.0.0.1', {}), 2), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {})), lambda: socket.socket(socket.AF_UNIX).connect('{}'), lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0), lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)):\n  try:\n    make(); print('OUT')\n  except Exception as e: print('held', e)\n",
        tcp.local_addr().unwrap().port(),
        udp.local_addr().unwrap().port(),
        unix.display()
    );
    fs::write(room.root.join("workspace/out.py"), python).unwrap();
    let done = room.run("exec 3<>/dev/tcp/127.0.0.1/1 || echo held; command -v python3 >/dev/null && python3 out.py; true").await;
    assert!(done.output.contains("held"), "{done:?}");
    assert!(tcp.accept().is_err() && listener.accept().is_err(), "{done:?}");
    assert!(udp.recv(&mut [0; 8]).is_err(), "{done:?}");
}

#[tokio::test]
async fn server_and_client_meet_in_one_command_and_in_no_other() {
    let room = Room::new();
    if !room.fills().await {
        return;
    }
    let python = "import socket, sys\ns = socket.create_server(('127.0.0.1', 3000))\nc = socket.create_connection(('127.0.0.1', 3000))\ns.accept()[0].send(b'through\\n')\nprint(c.recv(9).decode(), end='', flush=True)\nsys.stdin.readline()\n";
    fs::write(room.root.join("workspace/meet.py"), python).unwrap();
    let mut server = room.sandbox.spawn(allowed(exec("python3 meet.py"), &Label::Owner)).await.unwrap();
    assert_eq!(server.output.next().await, Some(Piece::Bytes(Stream::Output, b"through\n".to_vec())));
    let other = room.run("exec 3<>/dev/tcp/127.0.0.1/3000 && echo through").await;
    assert!(other.output.contains("Connection refused") && !other.output.contains("through"), "{other:?}");
    finish(server).await;
}

#[tokio::test]
async fn nothing_outside_is_seen_or_changed() {
    let room = Room::new();
    let outside = room.root.join("outside");
    fs::write(&outside, "mine").unwrap();
    std::os::unix::fs::symlink(&outside, room.root.join("workspace/link")).unwrap();
    let home = std::env::var("HOME").unwrap_or_else(|_| "/root".to_owned());
    let done = room
        .run(&format!(
            "cat {0}/secret/key {0}/outside link; echo x > {0}/outside; echo x > link; ls {home}/.cargo; echo x > /etc/passwd; echo x > /usr/new; \
             touch {0}/new; cat /proc/1/environ | tr '\\0' '\\n' | grep CARGO; echo end",
            room.root.display()
        ))
        .await;
    for leaked in ["sesame", "mine", "CARGO", "registry"] {
        assert!(!done.output.contains(leaked), "{leaked}: {done:?}");
    }
    assert!(done.output.contains("end"), "{done:?}");
    assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
    assert!(!room.root.join("new").exists());
}

#[tokio::test]
async fn files_that_steer_the_agent_are_neither_changed_nor_made() {
    let room = Room::new();
    let done = room
        .run(
            "echo evil > AGENTS.md; rm -f AGENTS.md; mv AGENTS.md x; echo evil > SOUL.md; mkdir -p .git/hooks; echo evil > .git/hooks/post-commit; \
             mkdir -p skills/evil; ln -s /tmp HEARTBEAT.md; echo end",
        )
        .await;
    assert!(done.output.contains("end"), "{done:?}");
    drop(done);
    assert_eq!(room.read("AGENTS.md").as_deref(), Some("be good\n"));
    for path in ["SOUL.md", ".git/hooks/post-commit", "skills/evil", "HEARTBEAT.md"] {
        assert!(!room.root.join("workspace").join(path).exists(), "{path}");
    }
}

#[tokio::test]
async fn command_that_ends_leaves_another_one_its_protection() {
    let room = Room::new();
    if !room.fills().await {
        return;
    }
    let (other, paths) = (room.another(), ["SOUL.md", ".mcp.json", "skills/evil", ".git/hooks"]);
    let first = waiting(&room.sandbox, "true").await;
    let second = waiting(&other, "echo evil > SOUL.md; echo evil > .mcp.json; mkdir -p skills/evil .git/hooks; true").await;
    assert_eq!(finish(first).await.ended, exited(0));
    let done = finish(second).await;
    assert_eq!(done.ended, exited(0), "{done:?}");
    for path in paths {
        assert!(!room.root.join("workspace").join(path).exists(), "{path}");
    }
}

#[tokio::test]
async fn file_that_was_replaced_at_the_last_moment_is_noticed() {
    let room = Room::new();
    if !room.fills().await {
        return;
    }
    let child = waiting(&room.sandbox, "echo evil >> AGENTS.md").await;
    room.put("AGENTS.md", "be better\n");
    assert_eq!(finish(child).await.ended.limit, Some(Limit::Protection));
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "waited for here")]
async fn git_commits_all_that_is_the_owners_and_nothing_that_stands_in() {
    let room = Room::new();
    let workspace = room.root.join("workspace");
    let git = Command::new("git").args(["init", "-q"]).current_dir(&workspace).status();
    if !git.is_ok_and(|status| status.success()) {
        return println!("not run: there is no git");
    }
    if !room.fills().await {
        return;
    }
    fs::create_dir(workspace.join("skills")).unwrap();
    fs::write(workspace.join("skills/fish.md"), "how to fish\n").unwrap();
    let all = "git add -A && git commit -qm first";
    let done = room.run(&format!("git config --system --list; {all} && git log --format=%an,%ae --name-only")).await;
    assert_eq!(done.ended, exited(0), "{done:?}");
    assert!(done.output.contains("core.excludesfile=/etc/gitignore"), "{done:?}");
    let log = "krabba,krabba@localhost\n\nAGENTS.md\nnotes.md\nskills/fish.md\n";
    assert!(done.output.ends_with(log), "{done:?}");
    fs::write(workspace.join(".git/config"), "[user]\n\tname = me\n\temail = me@example.org\n").unwrap();
    let done = room.run(&format!("echo more >> notes.md; {all} && git log -1 --format=%an,%ae")).await;
    assert_eq!(done.output, "me,me@example.org\n");
}

/// Set where this test is started once more, to be killed.
const CRASHES: &str = "KRABBA_SANDBOX_CRASHES";

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "killed and waited for here")]
async fn what_a_crash_leaves_is_taken_away_and_nothing_of_the_owners() {
    if let Some(root) = std::env::var_os(CRASHES).map(PathBuf::from) {
        let sandbox = Sandbox::new(Settings::new(root.join("workspace"), root.join("scratch"))).unwrap();
        let _child = waiting(&sandbox, "sleep 1000").await;
        println!("begun");
        return std::future::pending().await;
    }
    let room = Room::new();
    if !room.fills().await {
        return;
    }
    let mut crashing = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_a_crash_leaves_is_taken_away_and_nothing_of_the_owners", "--nocapture"])
        .env(CRASHES, &room.root)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(crashing.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("begun")));
    crashing.kill().unwrap();
    crashing.wait().unwrap();
    let made = ["SOUL.md", ".envrc", "skills", ".git"];
    assert!(made.iter().all(|path| room.root.join("workspace").join(path).exists()), "nothing was left");
    fs::write(room.root.join("workspace/CLAUDE.md"), "mine\n").unwrap();
    fs::write(room.root.join("workspace/.idea/mine"), "mine\n").unwrap();

    // What kept the command in goes a moment after krabba.
    for _ in 0..500 {
        let _ = room.another();
        if !room.root.join("workspace/SOUL.md").exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for path in made {
        assert!(!room.root.join("workspace").join(path).exists(), "{path}");
    }
    let kept = [("AGENTS.md", "be good\n"), ("CLAUDE.md", "mine\n"), (".idea/mine", "mine\n")];
    kept.iter().for_each(|(path, content)| assert_eq!(room.read(path).as_deref(), Some(*content), "{path}"));
}

#[tokio::test]
async fn changes_of_a_tainted_command_are_kept_apart() {
    let room = Room::new();
    if !room.sandbox.standing().await.discardable {
        println!("not run: {}", room.sandbox.standing().await);
        return;
    }
    let label = Label::untrusted("evil.example");
    let mut child = room.sandbox.spawn(allowed(exec("echo evil >> notes.md; echo new > made; cat notes.md"), &label)).await.unwrap();
    let aside = child.aside.take().unwrap();
    let done = finish(child).await;
    assert_eq!(done.output, "hello\nevil\n");
    assert_eq!(room.read("notes.md").as_deref(), Some("hello\n"));
    assert_eq!(room.read("made"), None);
    let mut changes: Vec<(String, ChangeKind)> =
        aside.changes().unwrap().into_iter().map(|change| (change.path.to_string(), change.kind)).collect();
    changes.sort_by(|one, two| one.0.cmp(&two.0));
    assert_eq!(changes.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["made", "notes.md"]);
}

#[tokio::test]
async fn nothing_of_our_environment_goes_along() {
    let room = Room::new();
    let done = room.run("env").await;
    let names: Vec<&str> = done.output.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    for name in &names {
        let known = ["PATH", "HOME", "TMPDIR", "PWD", "USER", "SHELL", "LANG", "TERM", "_", "SHLVL", "OLDPWD", "GIT_CONFIG_SYSTEM"];
        assert!(known.contains(name), "{name}");
    }
    let own = Exec { environment: BTreeMap::from([("GREETING".to_owned(), "hi".to_owned())]), ..exec("echo $GREETING") };
    let child = room.sandbox.spawn(allowed(own, &Label::Owner)).await.unwrap();
    assert_eq!(finish(child).await.output, "hi\n");
}

#[tokio::test]
async fn decoys_lie_where_keys_are_looked_for() {
    let decoys = Decoys::of("seed");
    for rungs in [Rung::ALL.to_vec(), vec![Rung::LandlockSeccomp]] {
        let room = Room::with(|settings| (settings.decoys, settings.rungs) = (Some(decoys.clone()), rungs));
        if room.sandbox.standing().await.rung.is_none() {
            println!("not run: {}", room.sandbox.standing().await);
            continue;
        }
        let [token, password] = [0, 1].map(|at| &decoys.named()[at].1);
        assert_eq!(room.run("env | grep -i token").await.output, format!("BACKUP_SERVICE_TOKEN={token}\n"));
        let files = room.run("cat ~/.aws/credentials ~/.netrc; stat -c %a ~/.netrc").await.output;
        assert!(files.contains(&format!("= {token}\n")) && files.ends_with(&format!(" password {password}\n600\n")), "{files}");
        // Wherever a command says that its home is.
        let elsewhere = BTreeMap::from([("HOME".to_owned(), room.settings.workspace.display().to_string())]);
        finish(room.sandbox.spawn(allowed(Exec { environment: elsewhere, ..exec("true") }, &Label::Owner)).await.unwrap()).await;
        assert_eq!(room.read(".netrc"), None);
    }
}

#[tokio::test]
async fn command_that_hangs_is_ended_with_all_that_it_started() {
    let room = Room::new();
    let slow = Exec { timeout_seconds: 1, ..exec("(sleep 1000; echo late > late) & echo begun; sleep 1000") };
    let done = finish(room.sandbox.spawn(allowed(slow, &Label::Owner)).await.unwrap()).await;
    assert_eq!(done.output, "begun\n");
    assert_eq!(done.ended.limit, Some(Limit::Time));
}

#[tokio::test]
async fn command_that_leaves_something_running_is_known_to() {
    let room = Room::new();
    for (command, left_running) in
        [("sleep 1000 >/dev/null 2>&1 & true", true), ("sleep 0 & wait; true", false), ("setsid true | cat", false)]
    {
        assert_eq!(room.run(command).await.ended, Ended { left_running, ..exited(0) }, "{command}");
    }
}

#[tokio::test]
async fn kill_ends_everything() {
    let room = Room::new();
    let mut child = room.sandbox.spawn(allowed(exec("sleep 1000 & echo begun; wait"), &Label::Owner)).await.unwrap();
    assert!(child.output.next().await.is_some());
    let ended = child.process.kill().await;
    assert_eq!(ended.limit, Some(Limit::Killed));
    assert_eq!(child.output.next().await, None);
}

#[tokio::test]
async fn endless_output_is_cut_and_said_to_be() {
    let room = Room::new();
    let done = room.run("head -c 1000000 /dev/zero | tr '\\0' x").await;
    assert!(done.cut);
    assert_eq!(done.output.len(), 100_000);
}

#[tokio::test]
async fn fork_bomb_stays_inside() {
    let room = Room::with(|settings| settings.limits.processes = 64);
    let bomb = Exec { timeout_seconds: 5, ..exec("b() { b | b & }; b; sleep 2; echo over") };
    let done = finish(room.sandbox.spawn(allowed(bomb, &Label::Owner)).await.unwrap()).await;
    println!("{:?}", done.ended);
    assert_eq!(room.run("echo fine").await.output, "fine\n");
}

#[tokio::test]
async fn memory_has_an_end() {
    let room = Room::with(|settings| settings.limits.memory_bytes = 256 << 20);
    let done = room.run("head -c 2000000000 /dev/zero | tail -c 1999999999 | wc -c; echo over").await;
    assert!(!done.output.contains("1999999999"), "{done:?}");
}

#[tokio::test]
async fn input_and_terminal_work() {
    let room = Room::new();
    let mut child = room.sandbox.spawn(allowed(exec("read line; echo got $line"), &Label::Owner)).await.unwrap();
    child.input.write(b"words\n").await.unwrap();
    assert_eq!(finish(child).await.output, "got words\n");

    let terminal = Exec { stdio: ExecStdio::Terminal, ..exec("test -t 0 && test -t 1 && echo a terminal") };
    let child = room.sandbox.spawn(allowed(terminal, &Label::Owner)).await.unwrap();
    let Child { mut output, mut process, input: _input, .. } = child;
    let mut text = Vec::new();
    while let Some(piece) = output.next().await {
        if let Piece::Bytes(_, bytes) = piece {
            text.extend(bytes);
        }
    }
    assert_eq!(String::from_utf8_lossy(&text).trim(), "a terminal");
    assert_eq!(process.wait().await, exited(0));
}

#[tokio::test]
async fn scratch_and_workspace_may_not_lie_in_each_other() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let workspace: &Path = place.path();
    assert!(Sandbox::new(Settings::new(workspace.to_owned(), workspace.join("scratch"))).is_err());
    assert!(Sandbox::new(Settings::new("/".into(), workspace.to_owned())).is_err());
}

#[tokio::test]
async fn server_with_the_home_directory_sees_nothing_hidden_in_it() {
    for rungs in [Rung::ALL.to_vec(), vec![Rung::Bubblewrap], vec![Rung::LandlockSeccomp]] {
        let room = Room::with(|settings| {
            let home = settings.workspace.parent().unwrap().join("home");
            let state = home.join("state");
            fs::create_dir_all(state.join("workspace")).unwrap();
            fs::write(state.join("key"), "sesame").unwrap();
            fs::write(home.join("letter"), "dear\n").unwrap();
            fs::write(state.join("workspace/notes.md"), "notes\n").unwrap();
            settings.workspace = state.join("workspace");
            settings.hidden = vec![state];
            settings.rungs = rungs;
        });
        let home = room.root.join("home");
        let standing = room.sandbox.standing().await;
        if standing.rung.is_none() {
            println!("not run: {standing}");
            continue;
        }
        let script = "cat letter state/key state/workspace/notes.md; echo planted > state/planted; \\
                      echo planted > state/workspace/planted; echo planted >> state/workspace/notes.md; echo mine > own; exit 0";
        let seen = |writable: Vec<PathBuf>, readable: Vec<PathBuf>| {
            let (sandbox, directory) = (&room.sandbox, home.clone());
            async move {
                let (program, arguments) = ("/bin/sh".to_owned(), vec!["-c".to_owned(), script.to_owned()]);
                let environment = BTreeMap::new();
                let (directory, reach) = (Some(directory), Reach::Nothing);
                let server = ServerCommand { program, arguments, environment, directory, writable, readable, reach };
                let mut server = sandbox.spawn_server(&server).await.unwrap();
                let mut said = String::new();
                server.stdout.read_to_string(&mut said).await.unwrap();
                server.process.wait().await;
                said
            }
        };
        assert_eq!(seen(vec![home.clone()], Vec::new()).await, "dear\n", "{standing}");
        assert_eq!(seen(Vec::new(), vec![home.clone()]).await, "dear\n", "{standing}");
        // The workspace may be named, and is seen then.
        let both = vec![home.clone(), home.join("state/workspace")];
        assert_eq!(seen(both, Vec::new()).await, "dear\nnotes\n", "{standing}");
        assert!(!home.join("state/planted").exists(), "{standing}");
        // On the last rung a directory with something hidden in it takes no new files.
        let last = standing.rung == Some(Rung::LandlockSeccomp);
        assert_eq!(home.join("own").exists(), !last, "{standing}");
        // What is in it stays whose it is.
        let workspace = home.join("state/workspace");
        assert_eq!(fs::read_to_string(workspace.join("notes.md")).unwrap(), "notes\n", "{standing}");
        assert!(!workspace.join("planted").exists(), "{standing}");
        // Commands are not hindered by it.
        assert_eq!(room.run("cat notes.md; cat ../key").await.output.lines().next(), Some("notes"), "{standing}");
    }
}
