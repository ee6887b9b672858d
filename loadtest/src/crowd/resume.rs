//! `resume`: subscribers are cut in turn, stay away for a while, and go on behind the last offset that they saw.

use super::agenda::Agenda;
use super::hall::Hall;
use super::wire::{Crowd, Event};
use super::{Name, Scenario, Stage, Told};
use crate::client::message::{Message, holds};
use crate::failure::Failure;
use crate::record::latency::Times;

/// How long everybody hears before the first is cut, and after the last is back.
const CALM_NS: u64 = 500_000_000;

/// How long the last messages may take.
const TAIL_NS: u64 = 1_200_000_000;

/// What is known of one subscriber.
#[derive(Clone, Debug, Default)]
struct Reader {
    /// The offset of the last message that it saw, or of its channel when it came first.
    offset: Option<u64>,
    /// The message after the last that it saw.
    next: Option<u32>,
    /// When it began to connect again, and whether it has not caught up since.
    began_ns: u64,
    is_behind: bool,
    /// It has to catch up to this offset.
    position: Option<u64>,
}

/// Subscribers that are cut and resume.
#[derive(Debug)]
pub(crate) struct Resume {
    readers: Vec<Reader>,
    /// How long a whole turn takes: then everybody was cut once.
    every_ns: u64,
    start_ns: u64,
    end_ns: u64,
    /// How often anybody was cut.
    cut: u64,
    /// Who is away, and when it comes back.
    away: Agenda,
    caught_up: Times,
    resumed: u64,
    gapped: u64,
    behind: u64,
}

impl Resume {
    /// So many subscribers, of whom each is cut once in `every_ns` and stays away for `away_ns`.
    pub(crate) fn new(
        readers: usize,
        (every_ns, away_ns): (u64, u64),
        (start_ns, end_ns): (u64, u64),
    ) -> Self {
        Self {
            readers: vec![Reader::default(); readers],
            every_ns,
            start_ns: start_ns + CALM_NS,
            end_ns,
            cut: 0,
            away: Agenda::after(away_ns),
            caught_up: Times::new(),
            resumed: 0,
            gapped: 0,
            behind: 0,
        }
    }

    fn next_cut_ns(&self) -> Option<u64> {
        let count = self.readers.len().max(1) as u128;
        let after = u128::from(self.cut) * u128::from(self.every_ns) / count;
        let due_ns = self.start_ns.saturating_add(u64::try_from(after).unwrap_or(u64::MAX));
        Some(due_ns).filter(|due_ns| due_ns + self.away.after_ns() + CALM_NS < self.end_ns)
    }

    fn came(
        &mut self,
        at: usize,
        text: &[u8],
        now_ns: u64,
        (stage, hall): (&Stage<'_>, &mut Hall),
    ) {
        let Some(reader) = self.readers.get_mut(at) else { return };
        let position = number(text, b"\"position\":");
        let (Some(offset), Some(next)) = (reader.offset, reader.next) else { return };
        self.resumed += u64::from(hall.is_measured(reader.began_ns));
        self.gapped += u64::from(holds(text, b"\"recovered\":false"));
        hall.reenter(at, stage.channel(at), next);
        reader.position = position.filter(|position| *position > offset);
        if reader.position.is_none() {
            self.up_to_date(at, now_ns, hall);
        }
    }

    fn heard(&mut self, at: usize, text: &[u8], now_ns: u64, hall: &Hall) {
        let Some(reader) = self.readers.get_mut(at) else { return };
        let Some(offset) = number(text, b"\"offset\":") else { return };
        reader.offset = Some(offset);
        if reader.position.is_some_and(|position| offset >= position) {
            reader.position = None;
            self.up_to_date(at, now_ns, hall);
        }
    }

    fn up_to_date(&mut self, at: usize, now_ns: u64, hall: &Hall) {
        let Some(reader) = self.readers.get_mut(at) else { return };
        self.behind -= u64::from(std::mem::take(&mut reader.is_behind));
        if hall.is_measured(reader.began_ns) {
            self.caught_up.record(now_ns - reader.began_ns);
        }
    }
}

impl Scenario for Resume {
    fn act(
        &mut self,
        now_ns: u64,
        stage: &Stage<'_>,
        (crowd, hall): (&mut Crowd, &mut Hall),
    ) -> Result<(), Failure> {
        while self.next_cut_ns().is_some_and(|due_ns| due_ns <= now_ns) {
            let at = usize::try_from(self.cut).unwrap_or(0) % self.readers.len().max(1);
            self.cut += 1;
            let Some(reader) = self.readers.get_mut(at) else { continue };
            // Who has seen nothing yet, is still away, or has not caught up, is not cut.
            if reader.offset.is_none() || reader.is_behind || self.away.has(at) {
                continue;
            }
            reader.next = hall.leave(at, now_ns).or(reader.next);
            crowd.cut(at);
            self.away.note(at, now_ns);
        }
        while let Some(at) = self.away.take(now_ns) {
            if let Some(reader) = self.readers.get_mut(at) {
                crowd.open(at, stage.way_behind(at, reader.offset))?;
                reader.began_ns = now_ns;
                reader.is_behind = true;
                self.behind += 1;
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
        match event {
            Event::In(text) => self.came(at, text, now_ns, (stage, hall)),
            Event::Heard(Message::Delivery(_), text) => self.heard(at, text, now_ns, hall),
            Event::Heard(..) | Event::Answered(_) | Event::Gone(_) => {}
        }
    }

    fn next_ns(&self) -> Option<u64> {
        self.away.next_ns().into_iter().chain(self.next_cut_ns()).min()
    }

    fn last_ns(&self) -> u64 {
        self.end_ns.saturating_add(TAIL_NS)
    }

    fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= self.last_ns() && self.away.is_empty() && self.behind == 0
    }

    fn missing(&self) -> Vec<(u64, Name)> {
        vec![(self.behind, "never caught up".into()), (self.gapped, "resumed with a gap".into())]
    }

    fn told(self) -> Told {
        Told {
            rounds: None,
            times: vec![("caught_up".into(), self.caught_up)],
            counts: vec![("resumed".into(), self.resumed), ("gapped".into(), self.gapped)],
            due: None,
            cost_of: Some(("resume".into(), self.resumed)),
        }
    }
}

/// The number behind the last place where a name stands.
fn number(text: &[u8], name: &[u8]) -> Option<u64> {
    let at = text.windows(name.len()).rposition(|window| window == name)? + name.len();
    let digits = text.get(at..)?.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_where_they_stand() {
        let text = br#"{"type":"message","data":"\"offset\":9","offset":17}"#;
        assert_eq!(number(text, b"\"offset\":"), Some(17));
        assert_eq!(number(b"{}", b"\"offset\":"), None);
    }

    #[test]
    fn everybody_is_cut_once_in_a_turn_until_nobody_would_be_back_in_time() {
        let mut resume = Resume::new(4, (1_000_000_000, 10_000_000), (0, 3_000_000_000));
        let mut at = Vec::new();
        while let Some(due_ns) = resume.next_cut_ns() {
            at.push(due_ns / 1_000_000);
            resume.cut += 1;
        }
        assert_eq!(at[..3], [500, 750, 1000]);
        assert_eq!(at.last(), Some(&2250));
    }
}
