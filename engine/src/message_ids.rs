//! Message and token ids: UUIDv7 (RFC 9562 §5.7), rising, from a seed and the time that the caller gives.

use crate::ids::MessageId;

/// Makes ids.
#[derive(Debug)]
pub struct MessageIds {
    random: u64,
    last_ms: u64,
    /// Counts within a millisecond, in the 12 bits behind the version.
    count: u16,
}

const COUNT_MAX: u16 = 0xfff;

impl MessageIds {
    /// Ids whose random part follows from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: seed, last_ms: 0, count: 0 }
    }

    /// The next id. It is larger than the one before, even if the clock went back.
    pub fn next(&mut self, wall_ms: u64) -> MessageId {
        if wall_ms > self.last_ms {
            self.last_ms = wall_ms;
            self.count = 0;
        } else if self.count == COUNT_MAX {
            self.last_ms += 1;
            self.count = 0;
        } else {
            self.count += 1;
        }
        let high = (self.last_ms << 16) | 0x7000 | u64::from(self.count);
        let low = (self.draw() >> 2) | (0b10 << 62);
        MessageId((u128::from(high) << 64) | u128::from(low))
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_even_when_the_clock_goes_back() {
        let mut ids = MessageIds::new(7);
        let mut last = ids.next(1_000);
        for wall_ms in [1_000, 999, 1_001, 5].into_iter().chain([5; 5_000]) {
            let next = ids.next(wall_ms);
            assert!(next > last);
            last = next;
        }
    }

    #[test]
    fn ids_have_the_version_and_variant_of_uuid_v7() {
        let MessageId(id) = MessageIds::new(1).next(0x0123_4567_89ab);
        assert_eq!(id >> 80, 0x0123_4567_89ab);
        assert_eq!((id >> 76) & 0xf, 7);
        assert_eq!((id >> 62) & 0b11, 0b10);
    }
}
