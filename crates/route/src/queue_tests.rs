use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use krabba_types::{BoxId, Residency, ServerKind};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::plan::Class;
use crate::queue::{Permit, Place, Queue, Step, default_slots};

fn gpu() -> BoxId {
    BoxId::of_address("http", "gpu.test", 1234)
}

async fn granted(place: &mut Place) -> Permit {
    loop {
        if let Step::Granted(permit) = place.next().await {
            return permit;
        }
    }
}

async fn position(place: &mut Place) -> u32 {
    match timeout(Duration::from_secs(1), place.next()).await {
        Ok(Step::Position(position)) => position,
        other => panic!("not a position: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn ten_turns_on_one_slot_never_overlap_and_all_finish() {
    for directory in [None, Some(tempfile::tempdir().unwrap())] {
        let queue = Arc::new(Queue::new(directory.as_ref().map(|directory| directory.path().to_path_buf())));
        let (running, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let mut turns = JoinSet::new();
        for _ in 0..10 {
            let (queue, running, most) = (Arc::clone(&queue), Arc::clone(&running), Arc::clone(&most));
            turns.spawn(async move {
                let _permit = granted(&mut queue.join(&gpu(), Class::Person, Some(1))).await;
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(Duration::from_secs(5)).await;
                running.fetch_sub(1, Ordering::SeqCst);
            });
        }
        assert_eq!(turns.join_all().await.len(), 10);
        assert_eq!(most.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn people_go_before_background_work_and_otherwise_first_come_first_served() {
    let queue = Queue::new(None);
    let running = granted(&mut queue.join(&gpu(), Class::Person, Some(1))).await;
    let mut cron = queue.join(&gpu(), Class::Background, Some(1));
    assert_eq!(position(&mut cron).await, 1);
    let mut ann = queue.join(&gpu(), Class::Person, Some(1));
    let mut bob = queue.join(&gpu(), Class::Person, Some(1));
    assert_eq!((position(&mut ann).await, position(&mut bob).await, position(&mut cron).await), (1, 2, 3));
    drop(running);
    let ann = granted(&mut ann).await;
    assert_eq!((position(&mut bob).await, position(&mut cron).await), (1, 2));
    drop(ann);
    drop(granted(&mut bob).await);
    drop(granted(&mut cron).await);
    assert_eq!(queue.load(&gpu()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_the_line_does_not_block_it() {
    let queue = Queue::new(None);
    let running = granted(&mut queue.join(&gpu(), Class::Person, Some(1))).await;
    let leaves = queue.join(&gpu(), Class::Person, Some(1));
    let mut stays = queue.join(&gpu(), Class::Person, Some(1));
    assert_eq!(position(&mut stays).await, 2);
    drop(leaves);
    assert_eq!(position(&mut stays).await, 1);
    drop(running);
    drop(granted(&mut stays).await);
}

#[tokio::test(start_paused = true)]
async fn a_hosted_service_has_no_line() {
    let queue = Queue::new(None);
    let mut permits = Vec::new();
    for _ in 0..50 {
        permits.push(granted(&mut queue.join(&gpu(), Class::Person, None)).await);
    }
    assert_eq!(queue.load(&gpu()), (50, 0));
}

#[tokio::test]
async fn two_processes_do_not_use_one_slot_at_the_same_time() {
    // Two queues over one directory are what two processes are: flock belongs to the open file, not to the process.
    let directory = tempfile::tempdir().unwrap();
    let queue = || Queue::new(Some(directory.path().to_path_buf()));
    let (here, there) = (queue(), queue());
    let running = granted(&mut here.join(&gpu(), Class::Person, Some(1))).await;
    let mut cron = there.join(&gpu(), Class::Background, Some(1));
    assert_eq!(position(&mut cron).await, 1);
    let mut ann = here.join(&gpu(), Class::Person, Some(1));
    assert_eq!(position(&mut ann).await, 1);
    assert!(timeout(Duration::from_millis(200), granted(&mut ann)).await.is_err());
    drop(running);
    let ann = granted(&mut ann).await;
    assert!(timeout(Duration::from_millis(200), granted(&mut cron)).await.is_err());
    drop(ann);
    drop(granted(&mut cron).await);
}

#[tokio::test]
async fn a_killed_process_leaves_no_lock_behind() {
    let directory = tempfile::tempdir().unwrap();
    let (here, there) = (Queue::new(Some(directory.path().to_path_buf())), Queue::new(Some(directory.path().to_path_buf())));
    let running = granted(&mut here.join(&gpu(), Class::Person, Some(1))).await;
    let mut waits = there.join(&gpu(), Class::Person, Some(1));
    assert_eq!(position(&mut waits).await, 1);
    // What a killed process leaves: its files, unlocked.
    let files = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
    std::fs::write(files.join("turn-0-00000000000000000001-0000000001-0000000000"), "").unwrap();
    drop(running);
    let permit = timeout(Duration::from_secs(5), granted(&mut waits)).await;
    assert!(permit.is_ok());
    let left: Vec<String> = std::fs::read_dir(&files).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(left, ["slot-0"]);
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_does_not_stop_a_conversation() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let queue = Queue::new(Some(file));
    drop(granted(&mut queue.join(&gpu(), Class::Person, Some(1))).await);
}

#[test]
fn slots_that_nobody_reports_are_one_at_home_and_unlimited_away() {
    let at_home = |kind| default_slots(kind, &Residency::Lan);
    assert_eq!([ServerKind::LmStudio, ServerKind::Ollama, ServerKind::LlamaCpp, ServerKind::Other].map(at_home), [Some(1); 4]);
    assert_eq!([ServerKind::Vllm, ServerKind::Sglang, ServerKind::LiteLlm].map(at_home), [Some(32); 3]);
    assert_eq!(default_slots(ServerKind::Anthropic, &Residency::Hosted), None);
}
