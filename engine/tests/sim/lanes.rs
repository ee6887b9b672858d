//! The FIFOs between shards: bounded, slow, and never reordered. What does not fit waits in a spill, and a shard that has one
//! takes only what cannot make it longer (invariant 5).

use std::collections::VecDeque;

/// One kind of lane between each pair of shards.
#[derive(Debug)]
pub struct Lanes<T> {
    shards: usize,
    room: usize,
    lanes: Vec<VecDeque<T>>,
    spills: Vec<VecDeque<T>>,
    /// A lane whose messages nobody sees for a while.
    held: Option<usize>,
}

impl<T> Lanes<T> {
    /// Lanes that hold `room` messages each.
    pub fn new(shards: usize, room: usize) -> Self {
        let count = shards * shards;
        let empty = || (0..count).map(|_| VecDeque::new()).collect();
        Self { shards, room, lanes: empty(), spills: empty(), held: None }
    }

    /// Sends one. It spills when the lane is full. Returns whether it did.
    pub fn send(&mut self, from: usize, to: usize, message: T) -> bool {
        let at = from * self.shards + to;
        let is_full = self.lanes[at].len() >= self.room || !self.spills[at].is_empty();
        let queue = if is_full { &mut self.spills[at] } else { &mut self.lanes[at] };
        queue.push_back(message);
        is_full
    }

    /// Whether something that a shard sent did not fit.
    pub fn has_spill(&self, from: usize) -> bool {
        let row = from * self.shards..(from + 1) * self.shards;
        self.spills[row].iter().any(|it| !it.is_empty())
    }

    /// How much of what a shard sent did not fit.
    pub fn spilled(&self, from: usize) -> usize {
        let row = from * self.shards..(from + 1) * self.shards;
        self.spills[row].iter().map(VecDeque::len).sum()
    }

    /// Takes the next message on the lane, and makes room for one that spilled.
    pub fn take(&mut self, from: usize, to: usize) -> Option<T> {
        let at = from * self.shards + to;
        let message = self.lanes[at].pop_front()?;
        if let Some(spilled) = self.spills[at].pop_front() {
            self.lanes[at].push_back(spilled);
        }
        Some(message)
    }

    /// The shards from which something waits for `to`.
    pub fn senders(&self, to: usize) -> Vec<usize> {
        let is_seen = |at: usize| !self.lanes[at].is_empty() && self.held != Some(at);
        (0..self.shards).filter(|from| is_seen(from * self.shards + to)).collect()
    }

    /// Holds one of the lanes up on which something waits, and no other any more.
    pub fn hold(&mut self, any: usize) {
        let full: Vec<_> = (0..self.lanes.len()).filter(|it| !self.lanes[*it].is_empty()).collect();
        self.held = full.get(any % full.len().max(1)).copied();
    }

    /// All lanes are seen.
    pub fn release(&mut self) {
        self.held = None;
    }

    /// Everything that is under way.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.lanes.iter().chain(&self.spills).flatten()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(VecDeque::is_empty)
    }

    /// Asserts that no lane holds more than it may.
    pub fn check(&self) {
        assert!(self.lanes.iter().all(|it| it.len() <= self.room), "a lane is over its limit");
    }
}
