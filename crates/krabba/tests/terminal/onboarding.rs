//! The first run, and a further server later, as a person at a terminal meets them.

use super::*;

const ESTABLISHED: &str = "// mine\n{\n  models: { providers: { desk: { baseUrl: 'http://127.0.0.1:1/v1', models: [{ id: 'm' }] } } },\n  \
                           agents: { defaults: { model: 'desk/m' } },\n}\n";

fn file(home: &TempDir, name: &str) -> String {
    std::fs::read_to_string(home.path().join(name)).unwrap()
}

#[tokio::test]
async fn a_litellm_asks_for_its_key_and_says_that_it_counts_as_hosted() {
    let script = Script::litellm().model("tiny").model("large").key("sesame").reply("Through the proxy.");
    let server = ScriptedServer::start(script).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::open(home.path(), &["onboard", &server.url()]);
    terminal.wait("LiteLLM at").await;
    terminal.wait("wants a key").await;
    terminal.say("barley");
    terminal.wait("does not take this key").await;
    terminal.say("sesame");
    let screen = terminal.wait("Which one?").await;
    assert!(screen.contains("2. large") && screen.contains("LiteLLM may pass conversations on to others"), "{screen}");
    terminal.say("2");
    terminal.wait("litellm/large (hosted)").await;
    terminal.say("hi");
    terminal.wait("Through the proxy.").await;
    let config = file(&home, ".krabba/krabba.json5");
    assert!(config.contains(r#"primary: "litellm/large""#) && config.contains(r#"// residency: "device","#), "{config}");
    assert!(!terminal.bytes().contains("sesame"), "a key was shown");
}

#[tokio::test]
async fn a_key_of_the_environment_is_given_away_at_the_persons_word_only() {
    let server = ScriptedServer::start(Script::litellm().model("tiny").key("sesame")).await.unwrap();
    for (answer, then) in [("n", "Key (it is not shown)"), ("", "litellm/tiny (hosted)")] {
        let home = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::open_with(home.path(), &["onboard", &server.url()], &[("LITELLM_API_KEY", "sesame")]);
        terminal.wait("Give it the one in LITELLM_API_KEY? [Y/n]").await;
        terminal.say(answer);
        terminal.wait(then).await;
        let was_given = server.requests().iter().any(|request| request.header("authorization") == Some("Bearer sesame"));
        assert_eq!(was_given, answer.is_empty());
    }
}

#[tokio::test]
async fn a_proxy_that_is_all_there_is_is_asked_about() {
    let server = ScriptedServer::start(Script::litellm().model("tiny").reply("Through the proxy.")).await.unwrap();
    let url = server.url();
    for (answer, agreed) in [("", false), ("y", true)] {
        let home = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::open_with(home.path(), &[], &[("LMSTUDIO_HOST", &url)]);
        let screen = terminal.wait_until("a question", |screen| screen.contains("[y/N]") || screen.contains("Which one?")).await;
        // Somebody who runs these tests may have a server of their own, which is recommended then.
        if screen.contains("Which one?") {
            return;
        }
        assert!(screen.contains("counts as hosted") && screen.contains("Talk to it all the same?"), "{screen}");
        terminal.say(answer);
        if agreed {
            terminal.wait("litellm/tiny (hosted)").await;
        } else {
            assert_eq!(terminal.end().await, 1);
        }
        assert_eq!(home.path().join(".krabba/krabba.json5").exists(), agreed);
        assert!(server.generations().is_empty());
    }
}

#[tokio::test]
async fn a_further_server_does_not_become_the_first_one_by_itself() {
    let server = ScriptedServer::start(Script::vllm().model("qwen").window(8192).reply("Hello there.")).await.unwrap();
    for (answer, first) in [("", "desk/m"), ("y", "vllm/qwen")] {
        let home = tempfile::tempdir().unwrap();
        write_config(home.path(), ESTABLISHED);
        let mut terminal = Terminal::open(home.path(), &["onboard", &server.url()]);
        terminal.wait("Add it to ~/.krabba/krabba.json5 as provider \"vllm\"? [Y/n]").await;
        terminal.say("");
        terminal.wait("Let vllm/qwen answer first from now on, before desk/m? [y/N]").await;
        terminal.say(answer);
        terminal.wait(&format!("{first} (on this machine)")).await;
        let config = file(&home, ".krabba/krabba.json5");
        assert!(config.starts_with("// mine\n") && config.contains("vllm:"), "{config}");
        assert!(config.contains(&format!("\"{first}\"")) || config.contains(&format!("'{first}'")), "{config}");
    }
}

#[tokio::test]
async fn a_further_server_that_is_not_wanted_changes_nothing() {
    let server = ScriptedServer::start(Script::vllm().model("qwen")).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    write_config(home.path(), ESTABLISHED);
    let mut terminal = Terminal::open(home.path(), &["onboard", &server.url()]);
    terminal.wait("[Y/n]").await;
    terminal.say("n");
    assert_eq!(terminal.end().await, 1);
    assert_eq!(file(&home, ".krabba/krabba.json5"), ESTABLISHED);
}

#[tokio::test]
async fn openclaws_file_is_copied_at_the_persons_word() {
    let server = ScriptedServer::start(Script::vllm().model("qwen").window(8192)).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".openclaw")).unwrap();
    std::fs::write(home.path().join(".openclaw/openclaw.json"), ESTABLISHED).unwrap();
    let mut refusing = Terminal::open(home.path(), &["onboard", &server.url()]);
    refusing.wait("belongs to OpenClaw and is only read").await;
    refusing.wait("Copy it to ~/.krabba/krabba.json5").await;
    refusing.say("");
    assert_eq!(refusing.end().await, 1);
    assert!(!home.path().join(".krabba/krabba.json5").exists());

    let mut terminal = Terminal::open(home.path(), &["onboard", &server.url()]);
    terminal.wait("Copy it to ~/.krabba/krabba.json5").await;
    terminal.say("y");
    terminal.wait("Let vllm/qwen answer first from now on, before desk/m?").await;
    terminal.say("y");
    terminal.wait("vllm/qwen (on this machine)").await;
    assert_eq!(file(&home, ".openclaw/openclaw.json"), ESTABLISHED);
    let config = file(&home, ".krabba/krabba.json5");
    assert!(config.starts_with("// mine\n") && config.contains("vllm/qwen"), "{config}");
}
