//! When connections say by themselves that they are there, on servers that close silent ones.

use super::dialect::Dialect;

/// How often they do: servers that close silent connections wait for two minutes.
const EVERY_NS: u64 = 20_000_000_000;

/// What is said, and when it was said last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    sign: Option<&'static [u8]>,
    said_ns: u64,
}

impl Life {
    /// Connections of a dialect, which have just been heard of.
    pub(crate) fn new(dialect: Dialect, now_ns: u64) -> Self {
        Self { sign: dialect.sign_of_life(), said_ns: now_ns }
    }

    /// What all connections have to say now, if they have to say anything.
    #[inline]
    pub(crate) fn due(&mut self, now_ns: u64) -> Option<&'static [u8]> {
        let sign = self.sign.filter(|_| now_ns.saturating_sub(self.said_ns) > EVERY_NS)?;
        self.said_ns = now_ns;
        Some(sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_due_now_and_then_where_one_is_wanted() {
        let mut life = Life::new(Dialect::Pusher, 5);
        let mut due = |now_ns| life.due(now_ns).is_some();
        assert_eq!([due(5 + EVERY_NS), due(6 + EVERY_NS), due(7 + EVERY_NS)], [false, true, false]);
        assert!(due(7 + 2 * EVERY_NS));
        assert_eq!(Life::new(Dialect::Cohesivity, 0).due(u64::MAX), None);
    }
}
