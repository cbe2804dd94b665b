//! What a person sees: the program in a pseudo-terminal of its own, in a home of its own, against scripted servers. What is
//! compared is the screen, as a terminal emulator draws it from the bytes that were written.
//!
//! Nothing here waits for a length of time. The servers stop at gates that the test opens once it has seen what it was
//! waiting for.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "terminal/acting.rs"]
mod acting;
#[path = "terminal/approving.rs"]
mod approving;
#[path = "terminal/onboarding.rs"]
mod onboarding;
#[path = "terminal/stopping.rs"]
mod stopping;
#[path = "terminal/waiting.rs"]
mod waiting;

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use krabba_testkit::{Fate, Model, ProgressStep, Script, ScriptedServer, Step};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// Far beyond what any of it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const ROWS: u16 = 30;
const COLUMNS: u16 = 90;

const ENTER: &str = "\r";
const CTRL_C: &str = "\x03";
const ALT_ENTER: &str = "\x1b\r";
const UP: &str = "\x1b[A";

/// A krabba in a terminal.
struct Terminal {
    shown: Arc<Mutex<Shown>>,
    keyboard: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    /// Reads what comes out; over when all of it was read.
    reader: std::thread::JoinHandle<()>,
}

/// What came out of it.
struct Shown {
    emulator: vt100::Parser,
    bytes: Vec<u8>,
}

impl Terminal {
    fn open(home: &Path, arguments: &[&str]) -> Self {
        Self::open_with(home, arguments, &[])
    }

    fn open_with(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_krabba"));
        command.args(arguments);
        command.env_clear();
        command.env("HOME", home);
        command.env("TERM", "xterm-256color");
        variables.iter().for_each(|(name, value)| command.env(name, value));
        command.cwd(home);
        let child = pair.slave.spawn_command(command).unwrap();
        let shown = Arc::new(Mutex::new(Shown { emulator: emulator(), bytes: Vec::new() }));
        let mut output = pair.master.try_clone_reader().unwrap();
        let reading = Arc::clone(&shown);
        // Ends with the process, whose end of the terminal is the last one.
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut piece) {
                let mut shown = reading.lock().unwrap();
                shown.emulator.process(&piece[..count]);
                shown.bytes.extend_from_slice(&piece[..count]);
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        Self { shown, keyboard, master: pair.master, child, reader }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    fn say(&mut self, text: &str) {
        self.press(text);
        self.press(ENTER);
    }

    /// The screen's rows, empty ones at the end left out.
    fn screen(&self) -> String {
        self.shown.lock().unwrap().emulator.screen().contents().trim_end().to_owned()
    }

    fn bytes(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap().bytes).into_owned()
    }

    async fn wait(&self, what: &str) -> String {
        self.wait_until(what, |screen| screen.contains(what)).await
    }

    async fn wait_until(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if condition(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "never seen: {what}\n--- the screen:\n{screen}\n---");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// The exit code, once everything that was written before the end was read.
    async fn end(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap()
                && self.reader.is_finished()
            {
                return status.exit_code();
            }
            assert!(Instant::now() < deadline, "it does not end\n--- the screen:\n{}\n---", self.screen());
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether the terminal shows what is typed, as shells want it.
    fn echoes(&self) -> bool {
        const ECHO: u32 = 0o10;
        self.master.get_termios().unwrap().local_flags.bits() & ECHO != 0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn emulator() -> vt100::Parser {
    let [rows, columns] = [ROWS, COLUMNS].map(|number| number.try_into().unwrap());
    vt100::Parser::new(rows, columns, 200)
}

/// A home whose configuration names one model on each server, the first one being the primary.
fn home_of(servers: &[&ScriptedServer]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let providers: Vec<String> = servers
        .iter()
        .enumerate()
        .map(|(number, server)| {
            format!(r#"s{number}: {{ baseUrl: "{}", api: "openai-completions", models: [{{ id: "m{number}" }}] }}"#, server.v1())
        })
        .collect();
    let fallbacks: Vec<String> = (1..servers.len()).map(|number| format!(r#""s{number}/m{number}""#)).collect();
    write_config(
        home.path(),
        &format!(
            "{{ models: {{ providers: {{ {} }} }}, agents: {{ defaults: {{ model: {{ primary: \"s0/m0\", fallbacks: [{}] }} }} }} }}",
            providers.join(", "),
            fallbacks.join(", ")
        ),
    );
    home
}

fn write_config(home: &Path, text: &str) {
    std::fs::create_dir_all(home.join(".krabba")).unwrap();
    std::fs::write(home.join(".krabba/krabba.json5"), text).unwrap();
}

async fn server_saying(steps: impl IntoIterator<Item = Step>) -> ScriptedServer {
    ScriptedServer::start(Script::llama_cpp().model("m0").window(8192).steps(steps)).await.unwrap()
}

fn text(text: &str) -> Step {
    Step::Text(text.to_owned())
}

/// Whether an exchange was ended by its quiet line and the prompt stands below it.
fn is_over(screen: &str) -> bool {
    screen.contains("first token") && screen.ends_with("\n\n›")
}

/// The last message that a server was sent.
fn last_words(server: &ScriptedServer) -> String {
    let request = server.generations().pop().unwrap();
    let messages = request.json.unwrap()["messages"].as_array().unwrap().clone();
    messages.last().unwrap()["content"].to_string()
}

#[tokio::test]
async fn a_first_run_with_a_url_asks_for_the_key_and_goes_on_into_the_conversation() {
    let server = ScriptedServer::start(Script::vllm().model("qwen").window(8192).key("sesame").reply("Hello there.")).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::open(home.path(), &["onboard", &server.url()]);
    terminal.wait("wants a key").await;
    terminal.say("barley");
    terminal.wait("does not take this key").await;
    terminal.say("sesame");
    terminal.wait("vllm/qwen (on this machine)").await;
    terminal.say("hi");
    terminal.wait("Hello there.").await;
    let config = std::fs::read_to_string(home.path().join(".krabba/krabba.json5")).unwrap();
    assert!(config.contains(r#"primary: "vllm/qwen""#) && config.contains(r#"apiKey: "sesame""#), "{config}");
    assert!(!terminal.bytes().contains("sesame"), "a key was shown");
    terminal.say("/quit");
    assert_eq!(terminal.end().await, 0);
}

#[tokio::test]
async fn an_answer_is_shown_while_it_comes_and_ends_in_one_quiet_line() {
    let server = server_saying([text("Some **bold** "), Step::Gate, text("words.\n"), Step::End]).await;
    let home = home_of(&[&server]);
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    terminal.say("hi");
    let half = terminal.wait_until("half an answer", |screen| screen.contains("Some bold") && screen.contains("… answering")).await;
    assert!(!half.contains("words."), "{half}");
    server.open_gate();
    let whole = terminal.wait_until("the end of the exchange", is_over).await;
    let rows: Vec<&str> = whole.lines().skip_while(|row| *row != "› hi").collect();
    assert_eq!(rows[..2], ["› hi", "Some bold words."]);
    assert!(rows[2].starts_with("m0 · 50 tokens/s · first token ") && rows[2].contains(" of 8,192 ("), "{}", rows[2]);
    assert_eq!(rows[3..], ["", "›"], "the status line is gone");
    assert!(terminal.bytes().contains("\x1b[1mbold\x1b[0m"), "bold is bold");
}

#[tokio::test]
async fn ctrl_c_lets_the_server_go_and_gives_back_what_waited() {
    let server = server_saying([text("Begin"), Step::Stall]).await;
    let home = home_of(&[&server]);
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    terminal.say("first");
    terminal.wait("Begin").await;
    terminal.say("second");
    terminal.wait("next: second").await;
    let number = server.generations()[0].number;
    terminal.press(CTRL_C);
    assert!(matches!(server.wait_ended(number).await, Fate::Abandoned { .. }));
    let screen = terminal.wait_until("the end of the exchange", |screen| screen.ends_with("stopped\n\n› second")).await;
    let rows: Vec<&str> = screen.lines().skip_while(|row| *row != "› first").collect();
    assert_eq!(rows[..2], ["› first", "Begin"]);
    assert!(rows[2].starts_with("m0 · context ") && rows[2].ends_with(" %) · stopped"), "{screen}");
    assert_eq!(rows[3..], ["", "› second"]);
    assert_eq!(server.generations().len(), 1, "what waited was not sent");
}

#[tokio::test]
async fn every_wait_has_its_words_and_reasoning_stays_unseen_until_asked_for() {
    let thought = "a secret thought ".repeat(20);
    let steps = [
        Step::Progress(ProgressStep { done: 512, total: 4096 }),
        Step::Gate,
        Step::Reasoning(thought.clone()),
        Step::Gate,
        text("The answer."),
        Step::End,
    ];
    let server = server_saying(steps).await;
    let home = home_of(&[&server]);
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    terminal.say("hi");
    terminal.wait("… reading the prompt, 12 % of 4,096 tokens").await;
    server.open_gate();
    terminal.wait("… thinking, 85 tokens").await;
    server.open_gate();
    terminal.wait("The answer.").await;
    assert!(!terminal.bytes().contains("secret"), "reasoning was shown");

    terminal.say("/reasoning on");
    terminal.wait("reasoning is shown").await;
    server.open_gate();
    server.open_gate();
    terminal.say("/new again");
    let seen = terminal.wait_until("reasoning beside its bar, then the answer", |screen| {
        screen.lines().skip_while(|row| !row.starts_with("┊ a secret thought")).any(|row| row == "The answer.")
    });
    seen.await;
}

#[tokio::test]
async fn half_an_answer_is_taken_back_when_another_model_answers() {
    let dying = server_saying([text("Wrong start\nof an answer\nthat dies"), Step::Gate, Step::Cut]).await;
    let standing = ScriptedServer::start(Script::llama_cpp().model("m1").window(8192).reply("The right answer.")).await.unwrap();
    let home = home_of(&[&dying, &standing]);
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    terminal.say("hi");
    terminal.wait("that dies").await;
    // A line that is printed in between is not part of the answer, and stays.
    terminal.say("/reasoning");
    terminal.wait("reasoning is not shown").await;
    // As often as the first model may be asked.
    (0..4).for_each(|_| dying.open_gate());
    let screen = terminal.wait("m1 · ").await;
    let rows: Vec<&str> = screen.lines().skip_while(|row| *row != "› hi").collect();
    for gone in ["Wrong start", "of an answer", "that dies"] {
        assert!(!rows.iter().any(|row| row.contains(gone)), "{screen}");
    }
    assert_eq!(rows[..3], ["› hi", "› /reasoning", "reasoning is not shown"]);
    assert_eq!(rows.iter().filter(|row| **row == "The right answer.").count(), 1, "{screen}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_twice_is_told_once_each_time() {
    let dying = server_saying([text("Half an answer"), Step::Cut]).await;
    let home = home_of(&[&dying]);
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    terminal.say("hi");
    let screen = terminal.wait("broke off, twice").await;
    // A row of the terminal is shorter than such a line.
    let whole = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(whole.matches("broke off; asking it once more").count(), 1, "{screen}");
    assert_eq!((whole.matches("broke off").count(), whole.matches("Half an answer").count()), (2, 1), "{screen}");
}

#[tokio::test]
async fn several_lines_are_one_message_and_come_back_with_the_arrow_key() {
    let server = server_saying([text("Yes."), Step::End]).await;
    let home = home_of(&[&server]);
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    terminal.press("one");
    terminal.press(ALT_ENTER);
    terminal.press("zwei und 二");
    terminal.wait("zwei und 二").await;
    terminal.press(ENTER);
    terminal.wait("Yes.").await;
    assert!(last_words(&server).contains(r"one\nzwei und 二"), "{}", last_words(&server));
    terminal.wait("first token").await;
    terminal.press(UP);
    let both = |screen: &str| screen.ends_with("› one\n  zwei und 二");
    terminal.wait_until("the message in the line again", both).await;
    terminal.press(CTRL_C);
    terminal.say("/quit");
    assert_eq!(terminal.end().await, 0);

    // Another process, another day.
    let mut later = Terminal::open(home.path(), &[]);
    later.wait("/help for commands").await;
    later.press(UP);
    later.wait("› /quit").await;
    later.press(UP);
    later.wait_until("the message of the process before", both).await;
}

#[tokio::test]
async fn no_color_means_none() {
    let server = server_saying([text("Some **bold** and `code`.\n"), Step::End]).await;
    let home = home_of(&[&server]);
    for (variables, coloured) in [(&[("NO_COLOR", "1")][..], false), (&[("NO_COLOR", "")][..], true), (&[][..], true)] {
        let mut terminal = Terminal::open_with(home.path(), &[], variables);
        terminal.wait("/help for commands").await;
        terminal.say("hi");
        terminal.wait("first token").await;
        assert_eq!(has_sgr(&terminal.bytes()), coloured, "{variables:?}");
    }
}

/// Whether a code that sets colours or weight is among the bytes: `ESC [ … m`.
fn has_sgr(bytes: &str) -> bool {
    bytes.split("\x1b[").skip(1).any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
}

#[tokio::test]
async fn a_model_cannot_take_the_terminal_over() {
    let evil = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\u{9b}31m\r\x08 \u{202e}end.\n";
    let server = server_saying([text(evil), Step::End]).await;
    let home = home_of(&[&server]);
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    terminal.say("hi");
    terminal.wait("first token").await;
    let bytes = terminal.bytes();
    for code in ["\x1b]", "\x07", "\x1b[2J", "\x1b[31m", "\u{9b}", "\x08", "\u{202e}"] {
        assert!(!bytes.contains(code), "{code:?} reached the terminal");
    }
    assert!(terminal.screen().contains("end."), "the rest is shown");
}

#[tokio::test]
async fn a_server_cannot_take_the_terminal_over_by_its_names() {
    let evil = "m\x1b]0;owned\x07\x1b[2J\u{9b}31m\x08\u{202e}end";
    let script = Script { version: Some(evil.to_owned()), ..Script::llama_cpp() }.model(evil).window(8192);
    let server = ScriptedServer::start(script.steps([text("hi"), Step::End])).await.unwrap();
    let home = home_of(&[&server]);
    let url = server.url();
    for verb in [
        &["models", "list", "--all"][..],
        &["models", "status"],
        &["models", "scan", &url],
        &["doctor"],
        &["models", "list", "--json", "--all"],
    ] {
        let mut terminal = Terminal::open(home.path(), verb);
        terminal.end().await;
        terminal.wait_until("the end of the output", |screen| !screen.is_empty()).await;
        let bytes = terminal.bytes();
        for code in ["\x1b", "\x07", "\u{9b}", "\x08", "\u{202e}"] {
            assert!(!bytes.contains(code), "{code:?} reached the terminal from {verb:?}");
        }
    }
}

#[tokio::test]
async fn a_conversation_through_pipes_is_plain_text() {
    let server = server_saying([Step::Reasoning("hm".to_owned()), text("Some **bold** words."), Step::End]).await;
    let home = home_of(&[&server]);
    let child = tokio::task::spawn_blocking({
        let home = home.path().to_owned();
        move || run_piped(&home, "hi\n/think off\n\nagain\n")
    });
    let output = child.await.unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "Some **bold** words.\nthinking: off, where the model can be told\nSome **bold** words.\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[allow(clippy::disallowed_methods, reason = "the program under test, waited for here")]
fn run_piped(home: &Path, input: &str) -> std::process::Output {
    use std::process::{Command, Stdio};
    let mut command = Command::new(env!("CARGO_BIN_EXE_krabba"));
    command.env_clear().env("HOME", home).current_dir(home);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn a_deleted_session_leaves_nothing_that_was_typed_in_it() {
    let server = server_saying([text("Understood."), Step::End]).await;
    let home = home_of(&[&server]);
    for (session, words) in [("first", "the heron nests"), ("second", "the otter swims")] {
        let mut terminal = Terminal::open(home.path(), &["chat", "--session-id", session]);
        terminal.wait("kept as").await;
        terminal.say(words);
        terminal.wait_until("the answer", is_over).await;
        terminal.press("\x04");
        assert_eq!(terminal.end().await, 0);
    }
    let found = |words: &str| files(home.path()).iter().any(|bytes| bytes.windows(words.len()).any(|piece| piece == words.as_bytes()));
    assert!(found("heron") && found("otter"), "nothing was kept");
    let delete = async |session: &str| {
        let mut terminal = Terminal::open(home.path(), &["sessions", "delete", session]);
        assert_eq!(terminal.end().await, 0);
    };
    delete("first").await;
    assert_eq!((found("heron"), found("otter")), (false, true));
    // A line of a krabba that did not write down where it was typed goes with the last session.
    let typed = home.path().join(".krabba/typed.jsonl");
    std::fs::write(&typed, std::fs::read_to_string(&typed).unwrap() + "\"of old\"\n").unwrap();
    delete("second").await;
    assert_eq!((found("otter"), found("of old")), (false, false));
}

/// The bytes of every file below a directory.
fn files(directory: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![std::fs::read(&path).unwrap()] }).collect()
}

#[tokio::test]
async fn being_told_to_end_keeps_what_was_said_and_gives_the_terminal_back() {
    let server = server_saying([text("Half of it\nand "), Step::Stall]).await;
    let home = home_of(&[&server]);
    let mut terminal = Terminal::open(home.path(), &["chat", "--session-id", "kept"]);
    terminal.wait("a new conversation, kept as kept").await;
    terminal.say("hi");
    terminal.wait("Half of it").await;
    assert!(!terminal.echoes(), "keys are read one by one");
    let id = nix::unistd::Pid::from_raw(i32::try_from(terminal.child.process_id().unwrap()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(terminal.end().await, 143);
    assert!(terminal.echoes(), "the terminal is as it was");
    assert!(terminal.bytes().ends_with("\x1b[?2004l"), "pasting is as it was");
    server.wait_idle().await;

    let later = Terminal::open(home.path(), &["chat", "--session-id", "kept"]);
    let screen = later.wait_until("the prompt", |screen| screen.lines().last() == Some("›")).await;
    let rows: Vec<&str> = screen.lines().skip(1).map(str::trim).collect();
    assert_eq!(rows, ["going on with kept, 1 message so far", "", "› hi", "Half of it", "and", "", "[broke off here]", "", "›"]);
}

#[tokio::test]
async fn lm_studio_loads_a_larger_window_at_the_persons_word_only() {
    let model = || Model { id: "qwen".to_owned(), window: 4096, max_window: 262_144, ..Model::default() };
    let configured = (", contextWindow: 196608", "4,096 tokens, and 196,608 are configured");
    let silent = ("", "4,096 tokens, which is little");
    for ((window, question), answer, loads) in [(configured, "n", 0), (configured, "y", 1), (silent, "y", 1)] {
        let server = ScriptedServer::start(Script::lm_studio().with_model(model()).reply("Hello.")).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        write_config(
            home.path(),
            &format!(
                r#"{{ models: {{ providers: {{ lmstudio: {{ baseUrl: "{}", api: "openai-completions",
                     models: [{{ id: "qwen"{window} }}] }} }} }},
                     agents: {{ defaults: {{ model: {{ primary: "lmstudio/qwen" }} }} }} }}"#,
                server.v1()
            ),
        );
        let mut terminal = Terminal::open(home.path(), &[]);
        terminal.wait(question).await;
        terminal.say(answer);
        terminal.wait(if loads == 0 { "left as it is" } else { "loaded qwen with a window of 32,768 tokens" }).await;
        terminal.say("hi");
        terminal.wait(if loads == 0 { "of 4,096 (" } else { "of 32,768 (" }).await;
        let asked: Vec<_> = server.requests().into_iter().filter(|request| request.path == "/api/v1/models/load").collect();
        assert_eq!(asked.len(), loads);
        for request in asked {
            assert_eq!(request.json.unwrap()["context_length"], 32_768);
        }
    }
}
