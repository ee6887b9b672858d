//! `storm`: everybody is cut at once and comes back, round after round.

use super::hall::Hall;
use super::wire::{Crowd, Event};
use super::{Name, Scenario, Stage, Told};
use crate::failure::Failure;
use crate::record::latency::Times;

/// How long everybody hears before the next storm.
const CALM_NS: u64 = 1_500_000_000;

/// When those who are not back are given up.
const LATE_NS: u64 = 30_000_000_000;

/// Storms over subscribers.
#[derive(Debug)]
pub(crate) struct Storm {
    rounds: u32,
    /// Whether the next may begin.
    is_open: bool,
    waiting: Vec<bool>,
    absent: u64,
    cut_ns: u64,
    calm_until_ns: Option<u64>,
    each: Times,
    /// How long each round took until everybody was back.
    everybody: Vec<Option<u64>>,
    back: u64,
    /// Whom the server ended on the way back.
    ended: u64,
    has_ended: bool,
}

impl Storm {
    /// So many storms over so many subscribers.
    pub(crate) fn new(rounds: u32, subscribers: usize) -> Self {
        Self {
            rounds,
            is_open: false,
            waiting: vec![false; subscribers],
            absent: 0,
            cut_ns: 0,
            calm_until_ns: None,
            each: Times::new(),
            everybody: Vec::new(),
            back: 0,
            ended: 0,
            has_ended: false,
        }
    }

    /// One more is not awaited any more. After the last of a round there is calm, whether all are back or not.
    fn settle(&mut self, now_ns: u64) {
        self.absent -= 1;
        if self.absent > 0 {
            return;
        }
        self.calm_until_ns = Some(now_ns + CALM_NS);
        let is_everybody = !std::mem::take(&mut self.has_ended);
        self.everybody.push(is_everybody.then(|| now_ns - self.cut_ns));
    }
}

impl Scenario for Storm {
    fn act(
        &mut self,
        now_ns: u64,
        stage: &Stage<'_>,
        (crowd, hall): (&mut Crowd, &mut Hall),
    ) -> Result<(), Failure> {
        self.calm_until_ns.get_or_insert(now_ns + CALM_NS);
        if !std::mem::take(&mut self.is_open) {
            return Ok(());
        }
        self.rounds -= 1;
        self.cut_ns = now_ns;
        for at in 0..self.waiting.len() {
            hall.leave(at, now_ns);
            crowd.cut(at);
        }
        for (at, waiting) in self.waiting.iter_mut().enumerate() {
            crowd.open(at, stage.way(at))?;
            *waiting = true;
            self.absent += 1;
        }
        Ok(())
    }

    fn on(
        &mut self,
        at: usize,
        event: &Event<'_>,
        now_ns: u64,
        (stage, hall): (&Stage<'_>, &mut Hall),
    ) {
        let Some(waiting) = self.waiting.get_mut(at) else { return };
        match event {
            Event::In(_) if std::mem::take(waiting) => {
                self.each.record(now_ns - self.cut_ns);
                self.back += 1;
                hall.enter(at, stage.channel(at));
                self.settle(now_ns);
            }
            Event::Gone(_) if std::mem::take(waiting) => {
                self.ended += 1;
                self.has_ended = true;
                self.settle(now_ns);
            }
            // Who was there and is gone misses nothing more: that it is gone is the fault.
            Event::Gone(_) => {
                hall.leave(at, now_ns);
            }
            Event::In(_) | Event::Heard(..) | Event::Answered(_) => {}
        }
    }

    fn next_ns(&self) -> Option<u64> {
        self.calm_until_ns.filter(|_| self.absent == 0)
    }

    fn asks_for_round(&self, now_ns: u64) -> bool {
        let is_calm = self.calm_until_ns.is_some_and(|until_ns| now_ns >= until_ns);
        is_calm && self.absent == 0 && self.rounds > 0 && !self.is_open
    }

    fn open_round(&mut self) {
        self.is_open = true;
    }

    /// It takes as long as its rounds take, and gives up by itself.
    fn last_ns(&self) -> u64 {
        u64::MAX
    }

    fn is_over(&self, now_ns: u64) -> bool {
        let is_calm = self.calm_until_ns.is_some_and(|until_ns| now_ns >= until_ns);
        let is_late = self.absent > 0 && now_ns > self.cut_ns + LATE_NS;
        is_late || (self.rounds == 0 && self.absent == 0 && is_calm)
    }

    fn missing(&self) -> Vec<(u64, Name)> {
        vec![(self.absent + self.ended, "did not come back".into())]
    }

    fn told(self) -> Told {
        Told {
            times: vec![("back".into(), self.each)],
            rounds: Some(("everybody_back".into(), self.everybody)),
            counts: vec![("back".into(), self.back)],
            due: None,
            cost_of: Some(("reconnect".into(), self.back)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load::Load;
    use crate::server::Target;

    const S: u64 = 1_000_000_000;

    #[test]
    fn a_round_that_not_all_come_back_from_ends_in_calm_and_is_told() {
        let at = Target::at("127.0.0.1:1", "", None).unwrap();
        let (channels, token) = (vec!["bench:0".to_owned()], String::new());
        let stage = Stage { at: &at, channels, ways: Vec::new(), nonce: [0; 16], token };
        let mut hall = Hall::new(Load::sample(), Vec::new());
        let mut storm = Storm { rounds: 0, absent: 2, cut_ns: S, ..Storm::new(1, 2) };
        (storm.waiting, storm.calm_until_ns) = (vec![true; 2], Some(S));
        storm.on(0, &Event::In(b""), 2 * S, (&stage, &mut hall));
        assert_eq!((storm.next_ns(), storm.is_over(3 * S)), (None, false), "one is away");
        storm.on(1, &Event::Gone("refused".into()), 3 * S, (&stage, &mut hall));
        assert_eq!(storm.next_ns(), Some(3 * S + CALM_NS));
        assert!(!storm.is_over(3 * S), "who is back hears for a while");
        assert!(storm.is_over(3 * S + CALM_NS));
        assert_eq!(storm.missing(), [(1, "did not come back".into())]);
        let told = storm.told();
        assert_eq!(told.times[0].1.count(), 1, "one was back");
        assert_eq!(told.rounds, Some(("everybody_back".into(), vec![None])), "and never everybody");
    }
}
