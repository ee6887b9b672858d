//! `presence`: visitors join and leave at a fixed rate, and every resident has to hear of each, once.

use super::agenda::Agenda;
use super::hall::Hall;
use super::wire::{Crowd, Event};
use super::{Name, Scenario, Stage, Told};
use crate::client::message::Message;
use crate::failure::Failure;
use crate::pace::{Pace, Pacer};
use crate::record::latency::Times;

/// One visit: a user who comes once.
#[derive(Clone, Copy, Debug, Default)]
struct Visit {
    due_ns: u64,
    left_ns: Option<u64>,
    came: bool,
    is_measured: bool,
    joins_heard: u64,
    leaves_heard: u64,
}

/// Residents, and visitors whom they hear of. Places of residents stand first, then one for each visit.
#[derive(Debug)]
pub(crate) struct Presence {
    residents: usize,
    channels: usize,
    pacer: Pacer,
    end_ns: u64,
    visits: Vec<Visit>,
    /// Visits that are in, and when they end.
    inside: Agenda,
    began: usize,
    in_time: Times,
    join_seen: Times,
    leave_seen: Times,
    foreign: u64,
}

impl Presence {
    /// Visits at a rate, each so long, over so many residents.
    pub(crate) fn new(
        (residents, channels): (usize, usize),
        (per_second, hold_ns): (u64, u64),
        (start_ns, end_ns): (u64, u64),
        visits: usize,
    ) -> Self {
        Self {
            residents,
            channels,
            pacer: Pacer::new(Pace::Open { per_second }, start_ns, end_ns),
            end_ns,
            visits: vec![Visit::default(); visits],
            inside: Agenda::after(hold_ns),
            began: 0,
            in_time: Times::new(),
            join_seen: Times::new(),
            leave_seen: Times::new(),
            foreign: 0,
        }
    }

    /// Residents of the channel that a visit is to.
    fn audience(&self, visit: usize) -> u64 {
        let channel = (self.residents + visit) % self.channels;
        (channel..self.residents).step_by(self.channels).len() as u64
    }

    /// What was not heard, and what was heard too often.
    fn misheard(&self) -> (u64, u64) {
        let (mut lost, mut doubled) = (0, 0);
        for (nth, visit) in self.visits.iter().enumerate() {
            let audience = self.audience(nth);
            let joins = if visit.came { audience } else { 0 };
            let leaves = if visit.left_ns.is_some() { audience } else { 0 };
            for (due, heard) in [(joins, visit.joins_heard), (leaves, visit.leaves_heard)] {
                lost += due.saturating_sub(heard);
                doubled += heard.saturating_sub(due);
            }
        }
        (lost, doubled)
    }

    fn on_news(&mut self, at: usize, (user, is_join): (u32, bool), now_ns: u64) {
        // Residents hear each other join before anything is measured, and visitors hear what they like.
        let nth = (user as usize).checked_sub(self.residents);
        let (Some(nth), true) = (nth, at < self.residents) else { return };
        let is_mine = (self.residents + nth) % self.channels == at % self.channels;
        let Some(visit) = self.visits.get_mut(nth).filter(|_| is_mine) else {
            self.foreign += 1;
            return;
        };
        let is_measured = visit.is_measured;
        if is_join {
            visit.joins_heard += 1;
            if is_measured {
                self.join_seen.record(now_ns.saturating_sub(visit.due_ns));
            }
        } else {
            visit.leaves_heard += 1;
            if let Some(left_ns) = visit.left_ns.filter(|_| is_measured) {
                self.leave_seen.record(now_ns.saturating_sub(left_ns));
            }
        }
    }
}

impl Scenario for Presence {
    fn act(
        &mut self,
        now_ns: u64,
        stage: &Stage<'_>,
        (crowd, hall): (&mut Crowd, &mut Hall),
    ) -> Result<(), Failure> {
        while let Some(nth) = self.inside.take(now_ns) {
            crowd.cut(self.residents + nth);
            if let Some(visit) = self.visits.get_mut(nth) {
                visit.left_ns = Some(now_ns);
            }
        }
        while let Some(due) = self.pacer.take(now_ns) {
            let nth = usize::try_from(due.number).unwrap_or(usize::MAX);
            let Some(visit) = self.visits.get_mut(nth) else { break };
            visit.due_ns = self.pacer.due_ns(due.number, now_ns);
            visit.is_measured = hall.is_measured(visit.due_ns);
            let at = self.residents + nth;
            crowd.open(at, stage.way(at))?;
            self.began += 1;
        }
        Ok(())
    }

    fn on(&mut self, at: usize, event: &Event<'_>, now_ns: u64, _: (&Stage<'_>, &mut Hall)) {
        match event {
            Event::In(_) => {
                let nth = at.checked_sub(self.residents);
                let Some(visit) = nth.and_then(|nth| self.visits.get_mut(nth)) else { return };
                visit.came = true;
                if visit.is_measured {
                    self.in_time.record(now_ns.saturating_sub(visit.due_ns));
                }
                self.inside.note(at - self.residents, now_ns);
            }
            Event::Heard(Message::Joined(user), _) => {
                self.on_news(at, (*user, true), now_ns);
            }
            Event::Heard(Message::Left(user), _) => {
                self.on_news(at, (*user, false), now_ns);
            }
            Event::Heard(..) | Event::Answered(_) | Event::Gone(_) => {}
        }
    }

    fn next_ns(&self) -> Option<u64> {
        self.inside.next_ns().into_iter().chain(self.pacer.next_ns()).min()
    }

    fn last_ns(&self) -> u64 {
        self.end_ns.saturating_add(self.inside.after_ns())
    }

    fn is_over(&self, now_ns: u64) -> bool {
        let is_done = now_ns >= self.end_ns && self.inside.is_empty();
        is_done && self.began == self.visits.len() && self.misheard().0 == 0
    }

    fn missing(&self) -> Vec<(u64, Name)> {
        let (lost, doubled) = self.misheard();
        let absent = self.visits.iter().take(self.began).filter(|visit| !visit.came).count();
        vec![
            (lost, "joins and leaves not heard".into()),
            (doubled, "joins and leaves heard twice".into()),
            (self.foreign, "joins and leaves heard in another channel".into()),
            (absent as u64, "visitors never got in".into()),
        ]
    }

    fn told(self) -> Told {
        let sum = |count: fn(&Visit) -> u64| -> u64 {
            self.visits.iter().filter(|visit| visit.is_measured).map(count).sum()
        };
        let (joins, leaves) = (sum(|visit| visit.joins_heard), sum(|visit| visit.leaves_heard));
        Told {
            rounds: None,
            counts: vec![
                ("visits".into(), sum(|_| 1)),
                ("joins_heard".into(), joins),
                ("leaves_heard".into(), leaves),
            ],
            due: Some((self.visits.len() as u64, self.began as u64)),
            cost_of: Some(("join or leave heard".into(), joins + leaves)),
            times: vec![
                ("join_seen".into(), self.join_seen),
                ("leave_seen".into(), self.leave_seen),
                ("in".into(), self.in_time),
            ],
        }
    }
}
