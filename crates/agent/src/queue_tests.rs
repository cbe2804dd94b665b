//! The order of turns in one session.

use krabba_types::TurnId;
use tokio_util::sync::CancellationToken;

use crate::queue::{Place, Queue};

fn enter(queue: &Queue, name: &str) -> (Place, CancellationToken) {
    let stop = CancellationToken::new();
    (queue.enter(TurnId::new(name), stop.clone()), stop)
}

#[tokio::test]
async fn turns_go_in_the_order_in_which_they_came() {
    let queue = Queue::new();
    let (mut one, _) = enter(&queue, "one");
    let (mut two, _) = enter(&queue, "two");
    let (mut three, _) = enter(&queue, "three");
    assert_eq!([one.ahead(), two.ahead(), three.ahead()], [0, 1, 2]);
    drop(one);
    three.moved().await;
    assert_eq!([two.ahead(), three.ahead()], [0, 1]);
    drop(two);
    three.moved().await;
    assert_eq!(three.ahead(), 0);
}

#[tokio::test]
async fn turn_that_gives_up_waiting_lets_the_next_one_pass() {
    let queue = Queue::new();
    let (_one, _) = enter(&queue, "one");
    let (two, _) = enter(&queue, "two");
    let (mut three, _) = enter(&queue, "three");
    drop(two);
    assert_eq!(three.ahead(), 1);
    assert_eq!(queue.turns(), [TurnId::new("one"), TurnId::new("three")]);
}

#[tokio::test]
async fn stop_reaches_those_that_wait_too() {
    let queue = Queue::new();
    let (_one, first) = enter(&queue, "one");
    let (_two, second) = enter(&queue, "two");
    assert_eq!(queue.stop_all(), 2);
    assert!(first.is_cancelled() && second.is_cancelled());
}
