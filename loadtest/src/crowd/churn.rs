//! `churn`: connections come at a fixed rate, hear their channel for a while, and leave.

use super::agenda::Agenda;
use super::hall::Hall;
use super::wire::{Crowd, Event};
use super::{Name, Scenario, Stage, Told};
use crate::failure::Failure;
use crate::pace::{Pace, Pacer};
use crate::record::latency::Times;

/// Visitors that come and go.
#[derive(Debug)]
pub(crate) struct Churn {
    pacer: Pacer,
    end_ns: u64,
    free: Vec<usize>,
    /// When the visitor at a place was due, until it is in.
    due_ns: Vec<Option<u64>>,
    /// Who is in, and when it leaves.
    inside: Agenda,
    in_time: Times,
    coming: u64,
    due: u64,
    entered: u64,
    left: u64,
    /// Were due when all places were taken: they count as due, and as nothing else.
    no_room: u64,
}

impl Churn {
    /// So many a second, who stay so long, at so many places.
    pub(crate) fn new(
        per_second: u64,
        hold_ns: u64,
        (start_ns, end_ns): (u64, u64),
        places: usize,
    ) -> Self {
        Self {
            pacer: Pacer::new(Pace::Open { per_second }, start_ns, end_ns),
            end_ns,
            free: (0..places).rev().collect(),
            due_ns: vec![None; places],
            inside: Agenda::after(hold_ns),
            in_time: Times::new(),
            coming: 0,
            due: 0,
            entered: 0,
            left: 0,
            no_room: 0,
        }
    }
}

impl Scenario for Churn {
    fn act(
        &mut self,
        now_ns: u64,
        stage: &Stage<'_>,
        (crowd, hall): (&mut Crowd, &mut Hall),
    ) -> Result<(), Failure> {
        while let Some(at) = self.inside.take(now_ns) {
            hall.leave(at, now_ns);
            crowd.cut(at);
            self.free.push(at);
            self.left += u64::from(hall.is_measured(now_ns));
        }
        while let Some(due) = self.pacer.take(now_ns) {
            let due_ns = self.pacer.due_ns(due.number, now_ns);
            self.due += u64::from(hall.is_measured(due_ns));
            let Some(at) = self.free.pop() else {
                self.no_room += 1;
                continue;
            };
            crowd.open(at, stage.way(at))?;
            self.coming += 1;
            if let Some(place) = self.due_ns.get_mut(at) {
                *place = Some(due_ns);
            }
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
        let Some(due_ns) = self.due_ns.get_mut(at) else { return };
        match event {
            Event::In(_) => {
                let Some(due_ns) = due_ns.take() else { return };
                self.coming -= 1;
                if hall.is_measured(due_ns) {
                    self.in_time.record(now_ns.saturating_sub(due_ns));
                    self.entered += 1;
                }
                hall.enter(at, stage.channel(at));
                self.inside.note(at, now_ns);
            }
            Event::Gone(_) => {
                match due_ns.take() {
                    Some(_) => self.coming -= 1,
                    None => self.inside.forget(at),
                }
                hall.leave(at, now_ns);
                self.free.push(at);
            }
            Event::Heard(..) | Event::Answered(_) => {}
        }
    }

    fn next_ns(&self) -> Option<u64> {
        self.inside.next_ns().into_iter().chain(self.pacer.next_ns()).min()
    }

    fn last_ns(&self) -> u64 {
        self.end_ns.saturating_add(self.inside.after_ns())
    }

    fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= self.end_ns && self.coming == 0 && self.inside.is_empty()
    }

    fn missing(&self) -> Vec<(u64, Name)> {
        vec![(self.coming, "connections never got in".into())]
    }

    fn told(self) -> Told {
        Told {
            rounds: None,
            counts: vec![
                ("entered".into(), self.entered),
                ("left".into(), self.left),
                ("no_room".into(), self.no_room),
            ],
            due: Some((self.due, self.entered)),
            cost_of: Some(("connection".into(), self.entered)),
            times: vec![("in".into(), self.in_time)],
        }
    }
}
