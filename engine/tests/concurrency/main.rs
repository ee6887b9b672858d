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
mod doorbell;
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

/// Steps of an execution, at most: whoever takes more spins for ever.
const STEPS_MAX: usize = 10_000;

/// Which executions are looked at: all, or those in which threads are interrupted no more often.
#[derive(Clone, Copy, Debug)]
enum Reach {
    All,
    Interrupted(usize),
}

use Reach::{All, Interrupted};

/// Checks executions, and says how many they were.
fn check(what: &str, usual: Reach, trust: Reach, run: impl Fn() + Send + Sync + 'static) {
    let executions = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&executions);
    let mut model = loom::model::Builder::new();
    let is_trust = env::var_os("TRUST").is_some();
    let reach = if is_trust { trust } else { usual };
    model.preemption_bound = match reach {
        All => None,
        Interrupted(count) => Some(count),
    };
    model.max_branches = STEPS_MAX;
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        run();
    });
    let executions = executions.load(Ordering::Relaxed);
    assert!(executions > 1, "the checker tried nothing");
    println!("{what}: {executions} executions, {reach:?}");
    if is_trust {
        println!(
            r#"trust {{"what":"{what}","reach":"{reach:?}","executions":{executions},"violations":0}}"#
        );
    }
}

#[test]
fn two_that_ring_wake_one_that_sleeps() {
    check("two that ring", Interrupted(1), Interrupted(2), || doorbell::two_ring_one(2));
}

#[test]
fn two_cores_that_send_a_message_to_each_other_lose_none_and_wake() {
    let run = || Node::new(2, 2, Wait::InRing).exchange([1, 1]);
    check("two cores, a message each", Interrupted(3), All, run);
}

#[test]
fn a_core_that_is_sent_two_messages_wakes_for_each() {
    let run = || Node::new(2, 2, Wait::InRing).exchange([2, 0]);
    check("two messages one way", Interrupted(2), All, run);
}

#[test]
fn cores_in_their_hosts_that_send_a_message_to_each_other_lose_none_and_wake() {
    let run = || Node::new(2, 2, Wait::InHost).exchange([1, 1]);
    check("two cores in their hosts, a message each", Interrupted(2), All, run);
}

#[test]
fn two_cores_that_send_two_messages_to_each_other_lose_none_and_wake() {
    let run = || Node::new(2, 2, Wait::InRing).exchange([2, 2]);
    check("two cores, two messages each", Interrupted(2), Interrupted(3), run);
}

#[test]
fn two_cores_that_answer_each_other_wake_for_each_answer() {
    let run = || Node::new(2, 2, Wait::InRing).converse(2);
    check("two cores that answer", Interrupted(2), Interrupted(3), run);
}

#[test]
fn cores_that_sleep_in_their_hosts_wake_too() {
    let run = || Node::new(2, 2, Wait::InHost).converse(2);
    check("two cores that answer, in their hosts", Interrupted(2), Interrupted(3), run);
}

#[test]
fn a_lane_that_is_full_is_poured_on_and_rung_for() {
    let run = || Node::new(2, 1, Wait::InRing).exchange([2, 0]);
    check("a full lane", Interrupted(2), Interrupted(3), run);
}

#[test]
fn what_was_poured_on_is_rung_for_before_its_core_sleeps_in_its_host() {
    let run = || Node::new(2, 1, Wait::InHost).exchange([2, 0]);
    check("a full lane, in hosts", Interrupted(2), Interrupted(3), run);
}
