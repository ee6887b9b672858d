//! The lanes of one shard: bounded FIFOs to and from every other. Requests go to homes, deliveries come from them, and
//! the two never share a lane (invariant 5).

use std::collections::VecDeque;

use super::sync::{Arc, ArrayQueue};
use crate::ids::ShardId;
use crate::shard::effects::Effects;
use crate::shard::input::{Delivery, Request};

type Lane<T> = Arc<ArrayQueue<T>>;

/// One shard's ends of all its lanes. The lane of a shard to itself exists and stays empty.
pub struct Lanes {
    requests_out: Outgoing<Request>,
    deliveries_out: Outgoing<Delivery>,
    requests_in: Vec<Lane<Request>>,
    deliveries_in: Vec<Lane<Delivery>>,
    /// Shards that got something this turn and have to be woken if they sleep.
    touched: Vec<bool>,
    next_request: usize,
}

/// The sending ends, and what did not fit. While anything waits here, the shard takes nothing that could send more of the same
/// kind, so at most the effects of one input do.
struct Outgoing<T> {
    lanes: Vec<Lane<T>>,
    spill: Vec<VecDeque<T>>,
    spilled: usize,
}

/// The lanes of a whole node, shard by shard.
#[must_use]
pub fn between(shard_count: u16, capacity: usize) -> Vec<Lanes> {
    let requests: Vec<Vec<_>> = grid(shard_count, capacity);
    let deliveries: Vec<Vec<_>> = grid(shard_count, capacity);
    (0..shard_count)
        .map(|id| Lanes {
            requests_out: Outgoing::new(row(&requests, id)),
            deliveries_out: Outgoing::new(row(&deliveries, id)),
            requests_in: column(&requests, id),
            deliveries_in: column(&deliveries, id),
            touched: vec![false; usize::from(shard_count)],
            next_request: 0,
        })
        .collect()
}

impl Lanes {
    /// Sends what a turn wants sent.
    pub fn send(&mut self, effects: &mut Effects) {
        for (to, request) in effects.requests.drain(..) {
            self.requests_out.push(to, request);
            self.touch(to);
        }
        for (to, delivery) in effects.deliveries.drain(..) {
            self.deliveries_out.push(to, delivery);
            self.touch(to);
        }
    }

    /// Whether what causes only deliveries may be taken: requests, and the journal's answers. Requests that found no room do
    /// not matter here: two shards that wait for each other's requests would otherwise wait for ever.
    pub fn has_room_for_deliveries(&mut self) -> bool {
        for shard in self.deliveries_out.pour() {
            self.touch(shard);
        }
        self.deliveries_out.spilled == 0
    }

    /// Whether anything may be taken.
    pub fn has_room(&mut self) -> bool {
        for shard in self.requests_out.pour() {
            self.touch(shard);
        }
        self.has_room_for_deliveries() && self.requests_out.spilled == 0
    }

    /// The next delivery of any home.
    pub fn next_delivery(&mut self) -> Option<Delivery> {
        self.deliveries_in.iter().find_map(|lane| lane.pop())
    }

    /// Deliveries that have come, at most what the lanes hold.
    #[must_use]
    pub fn deliveries_waiting(&self) -> usize {
        self.deliveries_in.iter().map(|lane| lane.len()).sum()
    }

    /// The next request, one shard after the other, so that none of them is starved.
    pub fn next_request(&mut self) -> Option<(ShardId, Request)> {
        for _ in 0..self.requests_in.len() {
            let place = self.next_request % self.requests_in.len();
            self.next_request = place + 1;
            if let Some(request) = self.requests_in.get(place).and_then(|lane| lane.pop()) {
                return Some((shard_at(place), request));
            }
        }
        None
    }

    /// Whether nothing has come in, and nothing waits to go out: the shard may sleep. It moves nothing on: whoever gets
    /// something has to be rung, and who is about to sleep rings for nobody.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.requests_in.iter().all(|lane| lane.is_empty())
            && self.deliveries_in.iter().all(|lane| lane.is_empty())
            && self.requests_out.spilled == 0
            && self.deliveries_out.spilled == 0
    }

    /// The shards that got something since the last call.
    pub fn take_touched(&mut self) -> impl Iterator<Item = ShardId> + '_ {
        let touched = self.touched.iter_mut().enumerate();
        touched.filter_map(|(place, it)| std::mem::take(it).then(|| shard_at(place)))
    }

    fn touch(&mut self, shard: ShardId) {
        if let Some(touched) = self.touched.get_mut(shard.index()) {
            *touched = true;
        }
    }
}

impl<T> Outgoing<T> {
    fn new(lanes: Vec<Lane<T>>) -> Self {
        let spill = lanes.iter().map(|_| VecDeque::new()).collect();
        Self { lanes, spill, spilled: 0 }
    }

    fn push(&mut self, to: ShardId, item: T) {
        let (Some(lane), Some(spill)) =
            (self.lanes.get(to.index()), self.spill.get_mut(to.index()))
        else {
            return;
        };
        let left = if spill.is_empty() { lane.push(item).err() } else { Some(item) };
        if let Some(item) = left {
            spill.push_back(item);
            self.spilled += 1;
        }
    }

    /// Moves on what found no room. Returns the shards that got something.
    fn pour(&mut self) -> Vec<ShardId> {
        let mut moved = Vec::new();
        if self.spilled == 0 {
            return moved;
        }
        for (place, (lane, spill)) in self.lanes.iter().zip(&mut self.spill).enumerate() {
            let before = spill.len();
            pour(spill, lane);
            if spill.len() < before {
                self.spilled -= before - spill.len();
                moved.push(shard_at(place));
            }
        }
        moved
    }
}

fn pour<T>(spill: &mut VecDeque<T>, lane: &ArrayQueue<T>) {
    while let Some(item) = spill.pop_front() {
        if let Err(item) = lane.push(item) {
            return spill.push_front(item);
        }
    }
}

fn grid<T>(shard_count: u16, capacity: usize) -> Vec<Vec<Lane<T>>> {
    let row = || (0..shard_count).map(|_| Arc::new(ArrayQueue::new(capacity))).collect();
    (0..shard_count).map(|_| row()).collect()
}

fn row<T>(grid: &[Vec<Lane<T>>], from: u16) -> Vec<Lane<T>> {
    grid.get(usize::from(from)).cloned().unwrap_or_default()
}

fn column<T>(grid: &[Vec<Lane<T>>], to: u16) -> Vec<Lane<T>> {
    grid.iter().filter_map(|row| row.get(usize::from(to)).cloned()).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "there are at most u16::MAX shards")]
fn shard_at(place: usize) -> ShardId {
    ShardId(place as u16)
}
