//! The flag alone: two threads put messages into lanes of their own and ring; one takes them, and sleeps when it finds none.

use std::sync::Arc;

use loom::thread;

use crate::cores::{Signal, Wait};
use crate::sleeping::Sleeping;
use crate::sync::ArrayQueue;

type Lane = Arc<ArrayQueue<usize>>;

/// Two put so many messages each; a third takes them all.
pub fn two_ring_one(count: usize) {
    let (sleeping, signal) = (Sleeping::default(), Signal::new(Wait::InRing));
    let [one, other]: [Lane; 2] = [(); 2].map(|()| Arc::new(ArrayQueue::new(count)));
    let start = |lane: &Lane| {
        let (lane, sleeping, signal) = (Arc::clone(lane), sleeping.clone(), signal.clone());
        thread::spawn(move || (0..count).for_each(|it| put(it, &lane, (&sleeping, &signal))))
    };
    let threads = [start(&one), start(&other)];
    let lanes = [one, other];
    let mut next = [0; 2];
    while next != [count; 2] {
        sleeping.set();
        if lanes.iter().all(|it| it.is_empty()) {
            signal.wait();
        }
        sleeping.clear();
        for (lane, next) in lanes.iter().zip(&mut next) {
            while let Some(number) = lane.pop() {
                assert_eq!(number, *next, "messages of a lane keep their order");
                *next += 1;
            }
        }
    }
    threads.into_iter().for_each(|it| it.join().unwrap());
}

/// Puts a message, and rings.
fn put(message: usize, lane: &Lane, (sleeping, signal): (&Sleeping, &Signal)) {
    lane.push(message).expect("a lane has room for all");
    if sleeping.claim() {
        signal.give();
    }
}
