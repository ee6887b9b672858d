//! The stamp in each payload: which stream, which message of it, when it was due and how late it left.
//!
//! Its 32 letters have fixed places, so that a subscriber reads it without parsing JSON.

/// Bytes of a written stamp.
pub(crate) const STAMP_BYTES: usize = 32;
/// What stands before a stamp: a sign of ours.
pub(crate) const SIGN: &[u8] = b"S:";
/// Bytes of the smallest payload: opening quote, sign, stamp, closing quote.
pub(crate) const PAYLOAD_BYTES_MIN: usize = SIGN.len() + STAMP_BYTES + 2;
/// Streams that a stamp can tell apart.
pub(crate) const STREAMS_MAX: u32 = 1 << 24;

const LAG_US_MAX: u64 = (1 << 24) - 1;
const TIME_MASK: u64 = (1 << 48) - 1;

/// One message: the place in its stream and its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The stream: one publisher's messages to one channel. 24 bits.
    pub(crate) stream: u32,
    /// Dense from 0 in each stream.
    pub(crate) seq: u32,
    /// When it was due, in nanoseconds of the generator's clock. 48 bits: three days.
    pub(crate) due_ns: u64,
    /// How much later than due it was sent, in microseconds. 24 bits: 16 seconds at most.
    pub(crate) lag_us: u32,
}

impl Stamp {
    /// A stamp of a message that is sent at `now_ns`.
    pub(crate) fn new(stream: u32, seq: u32, due_ns: u64, now_ns: u64) -> Self {
        let lag_us = (now_ns.saturating_sub(due_ns) / 1000).min(LAG_US_MAX);
        Self { stream, seq, due_ns: due_ns & TIME_MASK, lag_us: low_u32(lag_us) }
    }

    /// Writes the stamp's 32 letters, `a` to `p` for each four bits.
    pub(crate) fn write(&self, out: &mut [u8; STAMP_BYTES]) {
        let all = u128::from(self.stream) << 104
            | u128::from(self.seq) << 72
            | u128::from(self.due_ns & TIME_MASK) << 24
            | u128::from(self.lag_us);
        for (byte, letters) in all.to_be_bytes().iter().zip(out.chunks_exact_mut(2)) {
            letters.copy_from_slice(&[b'a' + (byte >> 4), b'a' + (byte & 15)]);
        }
    }

    /// Reads what [`Stamp::write`] wrote; `None` for anything else.
    pub(crate) fn read(letters: &[u8; STAMP_BYTES]) -> Option<Self> {
        let mut all = 0_u128;
        for eight in letters.as_chunks::<8>().0 {
            all = all << 32 | u128::from(four_bytes(*eight)?);
        }
        let low = low_u64(all);
        Some(Self {
            stream: low_u32(low_u64(all >> 104)),
            seq: low_u32(low_u64(all >> 72)),
            due_ns: low_u64(all >> 24) & TIME_MASK,
            lag_us: low_u32(low & LAG_US_MAX),
        })
    }

    /// Nanoseconds from the time it was due to `now_ns`.
    pub(crate) fn since_due_ns(&self, now_ns: u64) -> u64 {
        now_ns.wrapping_sub(self.due_ns) & TIME_MASK
    }

    /// Nanoseconds from the time it was sent to `now_ns`.
    pub(crate) fn since_sent_ns(&self, now_ns: u64) -> u64 {
        self.since_due_ns(now_ns).saturating_sub(u64::from(self.lag_us) * 1000)
    }
}

/// Eight letters `a` to `p` as 32 bits, all at once: this runs for each delivery.
fn four_bytes(letters: [u8; 8]) -> Option<u32> {
    let nibbles = u64::from_be_bytes(letters).wrapping_sub(0x6161_6161_6161_6161);
    if nibbles & 0xf0f0_f0f0_f0f0_f0f0 != 0 {
        return None;
    }
    let bytes = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff;
    let halves = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
    Some(low_u32(halves | halves >> 16))
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn low_u32(value: u64) -> u32 {
    value as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn low_u64(value: u128) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stamp: Stamp) {
        let mut letters = [0; STAMP_BYTES];
        stamp.write(&mut letters);
        assert!(letters.iter().all(u8::is_ascii_lowercase));
        assert_eq!(Stamp::read(&letters), Some(stamp));
    }

    #[test]
    fn a_stamp_reads_back() {
        check(Stamp { stream: 0, seq: 0, due_ns: 0, lag_us: 0 });
        check(Stamp { stream: 0x12_3456, seq: 0x89ab_cdef, due_ns: 0x1234_5678_9abc, lag_us: 7 });
        check(Stamp {
            stream: STREAMS_MAX - 1,
            seq: u32::MAX,
            due_ns: TIME_MASK,
            lag_us: low_u32(LAG_US_MAX),
        });
    }

    #[test]
    fn any_foreign_letter_is_no_stamp() {
        let mut letters = [b'a'; STAMP_BYTES];
        for at in 0..STAMP_BYTES {
            for letter in [b'a' - 1, b'p' + 1, 0, 0xff] {
                letters[at] = letter;
                assert_eq!(Stamp::read(&letters), None, "{letter} at {at}");
            }
            letters[at] = b'a';
        }
    }

    #[test]
    fn latency_counts_from_due_and_from_sent() {
        let stamp = Stamp::new(1, 2, 5_000_000, 7_000_500);
        assert_eq!(stamp.since_due_ns(9_000_000), 4_000_000);
        assert_eq!(stamp.since_sent_ns(9_000_000), 2_000_000);
        // The time field wraps after three days; the difference does not care.
        let late = Stamp::new(1, 2, TIME_MASK, TIME_MASK);
        assert_eq!(late.since_due_ns(TIME_MASK + 10), 10);
    }
}
