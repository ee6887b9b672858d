//! In a closed loop: how many subscribers each outstanding message has still to reach.

use super::load::{DoneWhen, Load};
use crate::pace::Pace;

/// Counters of outstanding messages: a small ring for each stream.
#[derive(Debug)]
pub(crate) struct Window {
    remaining: Vec<u32>,
    /// Counters of one stream, a power of two; zero where nobody waits for deliveries.
    ring: usize,
}

impl Window {
    /// The window of a load; one that counts nothing if the load does not wait for deliveries.
    pub(crate) fn new(load: &Load) -> Self {
        let ring = match (load.pace, load.done_when) {
            (Pace::Closed { outstanding }, DoneWhen::Delivered) => {
                usize::try_from(outstanding).unwrap_or(0).next_power_of_two()
            }
            (Pace::Open { .. }, _) | (_, DoneWhen::Acknowledged) => 0,
        };
        Self { remaining: vec![0; ring * load.layout.streams() as usize], ring }
    }

    fn counter(&mut self, stream: u32, seq: u32) -> Option<&mut u32> {
        let place = seq as usize & self.ring.checked_sub(1)?;
        self.remaining.get_mut(stream as usize * self.ring + place)
    }

    /// A message was sent to so many subscribers.
    pub(crate) fn sent(&mut self, stream: u32, seq: u32, audience: u32) {
        if let Some(remaining) = self.counter(stream, seq) {
            *remaining = audience;
        }
    }

    /// A message reached one more subscriber. Says whether it was the last one.
    #[inline]
    pub(crate) fn received(&mut self, stream: u32, seq: u32) -> bool {
        self.counter(stream, seq).is_some_and(|remaining| {
            // What another generator sent is counted there.
            let is_counted = *remaining > 0;
            *remaining = remaining.saturating_sub(1);
            is_counted && *remaining == 0
        })
    }
}
