//! `storm`: everybody is cut at once and comes back, round after round.

use super::hall::Hall;
use super::wire::{Crowd, Event};
use super::{Scenario, Stage, Told};
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
    waiting: Vec<bool>,
    absent: u64,
    cut_ns: u64,
    calm_until_ns: Option<u64>,
    each: Times,
    everybody: Times,
    back: u64,
}

impl Storm {
    /// So many storms over so many subscribers.
    pub(crate) fn new(rounds: u32, subscribers: usize) -> Self {
        Self {
            rounds,
            waiting: vec![false; subscribers],
            absent: 0,
            cut_ns: 0,
            calm_until_ns: None,
            each: Times::new(),
            everybody: Times::new(),
            back: 0,
        }
    }
}

impl Scenario for Storm {
    fn act(
        &mut self,
        now_ns: u64,
        stage: &Stage<'_>,
        (crowd, hall): (&mut Crowd, &mut Hall),
    ) -> Result<(), Failure> {
        let until_ns = *self.calm_until_ns.get_or_insert(now_ns + CALM_NS);
        if self.absent > 0 || now_ns < until_ns || self.rounds == 0 {
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
                self.absent -= 1;
                hall.enter(at, stage.channel(at));
                if self.absent == 0 {
                    self.everybody.record(now_ns - self.cut_ns);
                    self.calm_until_ns = Some(now_ns + CALM_NS);
                }
            }
            Event::Gone(_) if std::mem::take(waiting) => self.absent -= 1,
            Event::In(_) | Event::Gone(_) | Event::Heard(..) | Event::Answered(_) => {}
        }
    }

    fn next_ns(&self) -> Option<u64> {
        self.calm_until_ns.filter(|_| self.absent == 0)
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

    fn missing(&self) -> Vec<(u64, &'static str)> {
        vec![(self.absent, "did not come back")]
    }

    fn told(self) -> Told {
        Told {
            times: vec![("back", self.each), ("everybody_back", self.everybody)],
            counts: vec![("back", self.back)],
            due: None,
            cost_of: Some(("reconnect", self.back)),
        }
    }
}
