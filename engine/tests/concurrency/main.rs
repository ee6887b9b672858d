//! Lanes and doorbells under every order of steps, and with everything that memory may show: no message is lost, and no core sleeps
//! while one waits for it. The files of the engine are compiled here with a model checker's pieces; what a core does with
//! them is `cores`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_types,
    dead_code,
    unreachable_pub,
    reason = "a test may stop at the first surprise, and uses a part of what it includes"
)]

mod cores;
#[path = "../../src/reactor/lanes.rs"]
mod lanes;
#[path = "../../src/reactor/ring/sleeping.rs"]
mod sleeping;
mod sync;

use cores::{Node, Wait};
use engine::{ids, shard};
use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often threads are interrupted at most: all such executions are looked at.
const INTERRUPTIONS: usize = 2;

/// Checks executions, and says how many they were.
fn check(what: &str, run: impl Fn() + Send + Sync + 'static) {
    let executions = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&executions);
    let mut model = loom::model::Builder::new();
    let is_trust = env::var_os("TRUST").is_some();
    model.preemption_bound = Some(INTERRUPTIONS + usize::from(is_trust));
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        run();
    });
    let executions = executions.load(Ordering::Relaxed);
    assert!(executions > 1, "the checker tried nothing");
    println!("{what}: {executions} executions");
    if is_trust {
        println!(r#"trust {{"what":"{what}","executions":{executions},"violations":0}}"#);
    }
}

#[test]
fn two_cores_that_send_two_messages_to_each_other_lose_none_and_wake() {
    let run = || Node::new(2, 2, Wait::InRing).exchange([2, 2]);
    check("two cores", run);
}

#[test]
fn two_cores_that_answer_each_other_wake_for_each_answer() {
    let run = || Node::new(2, 2, Wait::InRing).converse(2);
    check("two cores that answer", run);
}

#[test]
fn a_lane_that_is_full_is_poured_on_and_rung_for() {
    let run = || Node::new(2, 1, Wait::InRing).exchange([2, 0]);
    check("a full lane", run);
}
