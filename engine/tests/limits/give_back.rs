//! What nobody uses goes back to the system while memory is short, on each thread that may have much of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use engine::config::Config;
use engine::node::{Memory, MemoryBound, Node, NodeOptions, WebhookSettings};
use engine::side::webhook::WebhookOptions;
use engine::side::{Authorities, SideOptions};
use protocol::ws::CloseCode;

use super::inside;
use super::node::{PATIENCE, pause};

/// The threads that have to give memory back, and which of them did.
const THREADS: [&str; 6] = ["shard-0", "shard-1", "journal-0", "journal-1", "side", "webhooks"];
static GAVE: [AtomicBool; 6] = [const { AtomicBool::new(false) }; 6];

fn note() {
    let place = THREADS.iter().position(|it| Some(*it) == thread::current().name());
    place.into_iter().for_each(|it| GAVE[it].store(true, Ordering::Relaxed));
}

/// A node in this process that has far too little memory.
fn node() -> Node {
    let limits = Config::default().limits;
    let side = SideOptions {
        kit: None,
        authorities: Authorities::default(),
        limits: limits.for_side(),
        shards: 2,
    };
    let options = NodeOptions {
        side: Some(side),
        webhooks: Some(WebhookSettings { options: WebhookOptions::default(), dir: None }),
        memory: Some(MemoryBound { give_back: note, ..Memory::look().bound(1) }),
        ..inside::options(&limits)
    };
    Node::start(&options, None).unwrap()
}

#[test]
fn every_thread_that_holds_messages_gives_memory_back_while_it_is_short() {
    let (node, began) = (node(), Instant::now());
    while !GAVE.iter().all(|it| it.load(Ordering::Relaxed)) {
        assert!(began.elapsed() < PATIENCE, "{GAVE:?} of {THREADS:?}");
        pause(Duration::from_millis(20));
    }
    // The thread that reads memory keeps no other from ending.
    node.drain(CloseCode::GoingAway, 0);
    node.join().unwrap();
}
