use std::sync::Arc;

use crate::machine::{Full, Machine, Window};
use crate::{LoadStyle, Script, WhenFull};

fn two_models_on_one_gpu() -> Arc<Machine> {
    Machine::new(&Script::ollama().model("a").model("b").cold().one_model().load_ms(500))
}

#[tokio::test(start_paused = true)]
async fn a_second_model_waits_for_the_first_ones_request() {
    let machine = two_models_on_one_gpu();
    let place = machine.admit("a", Window::AtLoad(8192), "x").await.unwrap();
    let other = tokio::spawn({
        let machine = Arc::clone(&machine);
        async move { machine.admit("b", Window::AtLoad(8192), "x").await.map(drop) }
    });
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(machine.loads().is_empty() && machine.is_loaded("a"));
    drop(place);
    other.await.unwrap().unwrap();
    assert_eq!(machine.loads(), ["b"]);
    assert!(machine.is_loaded("b") && !machine.is_loaded("a"));
}

#[tokio::test(start_paused = true)]
async fn requests_for_a_loading_model_share_one_load() {
    let machine = Machine::new(&Script::lm_studio().model("a").cold().load_ms(500));
    let (first, second) = tokio::join!(machine.admit("a", Window::AtLoad(8192), "x"), machine.admit("a", Window::AtLoad(8192), "y"));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(machine.loads(), ["a"]);
}

#[tokio::test]
async fn a_held_load_ends_with_release_only() {
    let machine = Machine::new(&Script::lm_studio().model("a").cold().held_loads(LoadStyle::Blocks));
    machine.begin_load("a", Window::AtLoad(8192));
    assert!(!machine.is_loaded("a") && machine.models()[0].loading);
    machine.release();
    assert!(machine.is_loaded("a"));
}

#[tokio::test]
async fn a_full_machine_refuses_when_told_so() {
    let machine = Machine::new(&Script::llama_cpp().model("a").slots(1, WhenFull::Unavailable));
    let place = machine.admit("a", Window::AtLoad(8192), "x").await.unwrap();
    assert_eq!(machine.admit("a", Window::AtLoad(8192), "x").await.map(drop), Err(Full));
    drop(place);
    assert_eq!(machine.admit("a", Window::AtLoad(8192), "x").await.map(drop), Ok(()));
}

#[tokio::test]
async fn cached_tokens_are_the_real_common_prefix() {
    let machine = Machine::new(&Script::llama_cpp().model("a").slots(1, WhenFull::Wait));
    let place = machine.admit("a", Window::AtLoad(8192), "12345678abcdefgh").await.unwrap();
    assert_eq!(place.cached_tokens(), 0);
    place.generated("answer..");
    drop(place);
    let place = machine.admit("a", Window::AtLoad(8192), "12345678abcdefghanswer..more").await.unwrap();
    assert_eq!(place.cached_tokens(), 6);
    drop(place);
    let place = machine.admit("a", Window::AtLoad(8192), "12345678ABCDEFGHanswer..more").await.unwrap();
    assert_eq!(place.cached_tokens(), 2);
}

#[tokio::test]
async fn another_num_ctx_loads_the_model_again() {
    let machine = Machine::new(&Script::ollama().model("a").window(4096));
    for asked in [None, Some(8192), Some(8192), None] {
        let window = machine.wanted_window(machine.model("a").unwrap(), asked);
        machine.admit("a", window, "x").await.map(drop).unwrap();
    }
    assert_eq!(machine.loads(), ["a", "a"]);
    assert_eq!(machine.models()[0].window, 4096);
}

#[tokio::test(start_paused = true)]
async fn a_boot_ends_by_clock_or_by_release() {
    let timed = Machine::new(&r#"{machine: {boot: {for_ms: 200}}}"#.parse().unwrap());
    assert!(!timed.is_booted());
    timed.wait_boot().await;
    assert!(timed.is_booted());
    let held = Machine::new(&r#"{machine: {boot: {}}}"#.parse().unwrap());
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    assert!(!held.is_booted());
    held.release();
    assert!(held.is_booted());
}
