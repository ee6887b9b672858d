//! Scenarios in which connections come and go: presence, resume, churn and storm.

mod agenda;
pub(crate) mod churn;
pub(crate) mod hall;
pub(crate) mod presence;
pub(crate) mod resume;
pub(crate) mod storm;
pub(crate) mod wire;

use crate::client::doorway::Handshake;
use crate::client::opening::Wish;
use crate::failure::Failure;
use crate::pace::Clock;
use crate::record::books::Mark;
use crate::record::latency::Times;
use crate::record::process;
use crate::report::progress::Watch;
use crate::scenario::link::{Link, say};
use crate::scenario::{Plan, channel_names, entrance, random, senders};
use crate::server::Target;
use hall::{Hall, Record};
use serde_json::{Value, json};
use std::borrow::Cow;
use wire::{Crowd, Event};

const WAIT_NS_MAX: u64 = 20_000_000;
/// How often it is seen whether the other generators are ready for a round.
const LOOK_NS: u64 = 1_000_000;
/// Connections that are being opened at one time: fewer than a listener's backlog.
const OPENING_MAX: usize = 256;
/// How long nothing may happen while connections open, or after the last thing that is due.
const SILENCE_NS_MAX: u64 = 20_000_000_000;

/// Where a scenario takes place: who is let in where.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    at: &'a Target,
    channels: Vec<String>,
    ways: Vec<Option<Handshake>>,
    nonce: [u8; 16],
    /// The token of those who resume.
    token: String,
}

impl Stage<'_> {
    /// The channel of a place.
    pub(crate) fn channel(&self, at: usize) -> u32 {
        u32::try_from(at % self.channels.len().max(1)).unwrap_or(0)
    }

    /// The way of a place into its channel.
    pub(crate) fn way(&self, at: usize) -> Option<Handshake> {
        self.ways.get(at).cloned().flatten()
    }

    /// The way of a place into its channel behind an offset.
    pub(crate) fn way_behind(&self, at: usize, after: Option<u64>) -> Option<Handshake> {
        let channel = self.channels.get(self.channel(at) as usize)?;
        Some(entrance::infrai_way(self.at, &self.token, (channel, after), self.nonce))
    }
}

/// What a figure is of.
pub(crate) type Name = Cow<'static, str>;

/// What a scenario found.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Times by name; the first are what it is about.
    pub(crate) times: Vec<(Name, Times)>,
    /// How long each round took until everybody was there; `None`: not everybody was.
    pub(crate) rounds: Option<(Name, Vec<Option<u64>>)>,
    /// Counts by name.
    pub(crate) counts: Vec<(Name, u64)>,
    /// What was due in the window, and how much of it happened.
    pub(crate) due: Option<(u64, u64)>,
    /// What the server's CPU is divided by.
    pub(crate) cost_of: Option<(Name, u64)>,
}

/// A scenario of comings and goings. It reads no clock.
pub(crate) trait Scenario {
    /// Does what is due.
    fn act(
        &mut self,
        now_ns: u64,
        stage: &Stage<'_>,
        on: (&mut Crowd, &mut Hall),
    ) -> Result<(), Failure>;
    /// Notes what happened at a place.
    fn on(&mut self, at: usize, event: &Event<'_>, now_ns: u64, among: (&Stage<'_>, &mut Hall));
    /// When something is due next.
    fn next_ns(&self) -> Option<u64>;
    /// When the last thing that it does is due, if everybody is in at once.
    fn last_ns(&self) -> u64;
    /// Whether everything was done and heard.
    fn is_over(&self, now_ns: u64) -> bool;
    /// What should have happened and did not, with its name.
    fn missing(&self) -> Vec<(u64, Name)>;
    /// Whether it waits for a round to be opened, which all generators do at one time; it is asked until it is told one.
    fn asks_for_round(&self, _now_ns: u64) -> bool {
        false
    }
    /// Begins the round that it asked for.
    fn open_round(&mut self) {}
    /// What was found.
    fn told(self) -> Told;
}

/// What a scenario leaves.
#[derive(Debug)]
pub(crate) struct Scene {
    /// What it found.
    pub(crate) told: Told,
    /// What is wrong, with its count.
    pub(crate) missing: Vec<(u64, Name)>,
    /// What came of what was published.
    pub(crate) record: Record,
    /// How long each connection took that was there from the start.
    pub(crate) opened: Times,
    /// Begin and end of what is measured.
    pub(crate) window: [Mark; 2],
}

/// Other generators that play the same at the same time.
pub(crate) struct Company {
    /// The way to the one that keeps them together.
    pub(crate) link: Link,
    /// Their clock.
    pub(crate) clock: Clock,
}

/// Plays a scenario. `residents` are there from the start, before the senders' places.
pub(crate) fn play<S: Scenario>(
    plan: Plan,
    residents: usize,
    (at, watch, company): (&Target, &mut Watch, Option<Company>),
    make: impl FnOnce((u64, u64)) -> S,
) -> Result<Scene, Failure> {
    let clock = company.as_ref().map_or_else(Clock::start, |all| all.clock);
    let channels = channel_names(plan.load.layout.channels, plan.load.dialect)?;
    let nonce = random()?;
    let (wishes, doorway) = entrance::wishes(&plan, at, &channels, nonce)?;
    let ways = wishes.into_iter().map(|wish| match wish {
        Wish::Http => None,
        Wish::Socket(way) => Some(way),
    });
    let token = entrance::token_to_resume(&plan, at)?;
    let senders = senders(&plan.load, at, &channels)?;
    let places = plan.load.connections();
    let stage = Stage { at, ways: ways.collect(), channels, nonce, token };
    let first_sender = plan.load.subscribers as usize;
    let there: Vec<usize> = (0..residents).chain(first_sender..places).collect();
    let mut player = Player {
        crowd: Crowd::new(at.to, plan.sources, (clock, doorway), places)?,
        stage,
        clock,
        pid: at.pid,
        opened: Times::new(),
        warmup_ns: plan.load.warmup_ns,
        duration_ns: plan.load.duration_ns,
        hall: Hall::new(plan.load, senders),
        link: company.map(|all| all.link),
    };
    player.open(&there, plan.connect_rate, watch)?;
    let start_ns = player.start_ns()?;
    player.run((residents, start_ns), make, watch)
}

/// Whether what is missing has had its time.
fn is_given_up(scenario: &impl Scenario, now_ns: u64) -> bool {
    now_ns > scenario.last_ns().saturating_add(SILENCE_NS_MAX)
}

/// Why a connection is gone, if it is.
fn why_gone(event: Event<'_>) -> Option<String> {
    match event {
        Event::Gone(why) => Some(why),
        Event::In(_) | Event::Heard(..) | Event::Answered(_) => None,
    }
}

struct Player<'a> {
    crowd: Crowd,
    stage: Stage<'a>,
    clock: Clock,
    pid: Option<i32>,
    opened: Times,
    hall: Hall,
    warmup_ns: u64,
    duration_ns: u64,
    /// The way to the other generators, if there are any.
    link: Option<Link>,
}

impl Player<'_> {
    /// Opens who is there from the start.
    fn open(&mut self, there: &[usize], rate: u64, watch: &mut Watch) -> Result<(), Failure> {
        let start_ns = self.clock.now_ns();
        let mut began_ns = vec![0; self.stage.ways.len()];
        let (mut begun, mut open) = (0, 0);
        let mut progress_ns = start_ns;
        while open < there.len() {
            let now_ns = self.clock.now_ns();
            let due = u128::from(now_ns - start_ns) * u128::from(rate) / 1_000_000_000;
            let due = usize::try_from(due).unwrap_or(usize::MAX).saturating_add(1);
            for at in there.iter().take(due.min(open + OPENING_MAX)).skip(begun) {
                self.crowd.open(*at, self.stage.way(*at))?;
                began_ns.get_mut(*at).into_iter().for_each(|began_ns| *began_ns = now_ns);
                begun += 1;
            }
            let mut failed = None;
            self.crowd.turn(1_000_000, &mut |at, event, now_ns| match event {
                Event::In(_) => {
                    let began_ns = began_ns.get(at).copied().unwrap_or(now_ns);
                    self.opened.record(now_ns - began_ns);
                    open += 1;
                    progress_ns = now_ns;
                }
                Event::Gone(why) => failed = Some(why),
                Event::Heard(..) | Event::Answered(_) => {}
            })?;
            if let Some(why) = failed {
                return Err(Failure::Server(why));
            }
            if now_ns.saturating_sub(progress_ns) > SILENCE_NS_MAX {
                let what = format!("no connection was completed: {open} of {} are", there.len());
                return Err(Failure::Server(what));
            }
            watch.opening(now_ns, open, there.len())?;
        }
        Ok(())
    }

    /// When to begin: at once, or when the one that keeps all generators together says.
    fn start_ns(&mut self) -> Result<u64, Failure> {
        let Some(link) = &mut self.link else { return Ok(self.clock.now_ns()) };
        say(&json!({ "opened": self.opened.counts() }))?;
        loop {
            if let Some(line) = link.heard()? {
                return Ok(line.get("start_ns").and_then(Value::as_u64).unwrap_or(0));
            }
            let mut gone = Vec::new();
            self.crowd.turn(WAIT_NS_MAX, &mut |_, event, _| gone.extend(why_gone(event)))?;
            if let Some(why) = gone.pop() {
                return Err(Failure::Server(why));
            }
        }
    }

    /// Opens the round that the scenario asks for, with the other generators when all of them do. Says whether it waits for them.
    fn open_round(&mut self, scenario: &mut impl Scenario, now_ns: u64) -> Result<bool, Failure> {
        if !scenario.asks_for_round(now_ns) {
            return Ok(false);
        }
        let is_open = self.link.as_mut().map_or(Ok(true), Link::ask_for_round)?;
        if is_open {
            scenario.open_round();
        }
        Ok(!is_open)
    }

    fn run<S: Scenario>(
        mut self,
        (residents, start_ns): (usize, u64),
        make: impl FnOnce((u64, u64)) -> S,
        watch: &mut Watch,
    ) -> Result<Scene, Failure> {
        let begin_ns = start_ns + self.warmup_ns;
        let end_ns = begin_ns.saturating_add(self.duration_ns);
        let mut scenario = make((start_ns, end_ns));
        self.hall.begin(start_ns, end_ns, begin_ns..end_ns);
        (0..residents).for_each(|at| self.hall.enter(at, self.stage.channel(at)));
        let mut begin = None;
        let mut end = None;
        loop {
            let now_ns = self.clock.now_ns();
            if begin.is_none() && now_ns >= begin_ns {
                begin = Some(self.mark(now_ns));
            }
            if end.is_none() && now_ns >= end_ns {
                end = Some(self.mark(now_ns));
            }
            if scenario.is_over(now_ns) || is_given_up(&scenario, now_ns) {
                break;
            }
            let is_waiting = self.open_round(&mut scenario, now_ns)?;
            scenario.act(now_ns, &self.stage, (&mut self.crowd, &mut self.hall))?;
            self.hall.publish(now_ns, &mut self.crowd);
            let own_ns = if is_waiting { Some(now_ns + LOOK_NS) } else { scenario.next_ns() };
            let next_ns = own_ns.into_iter().chain(self.hall.next_ns()).min();
            let timeout_ns = next_ns.map_or(WAIT_NS_MAX, |ns| ns.saturating_sub(now_ns));
            let (stage, hall) = (&self.stage, &mut self.hall);
            self.crowd.turn(timeout_ns.min(WAIT_NS_MAX), &mut |at, event, now_ns| {
                hall.on(at, &event, now_ns);
                scenario.on(at, &event, now_ns, (stage, &mut *hall));
            })?;
            let done = (now_ns.saturating_sub(start_ns), (end_ns - start_ns).min(1 << 50));
            watch.show(now_ns, "measuring", done, || {
                let counts = &self.hall.record.counts;
                format!("{} sent, {} delivered", counts.sent, counts.deliveries)
            })?;
        }
        let last = self.mark(self.clock.now_ns());
        let now_ns = last.at_ns;
        for at in 0..self.stage.ways.len() {
            self.hall.leave(at, now_ns);
        }
        let window = [begin.unwrap_or(last), end.unwrap_or(last)];
        let missing = scenario.missing();
        let (told, record, opened) = (scenario.told(), self.hall.record, self.opened);
        Ok(Scene { told, missing, record, opened, window })
    }

    fn mark(&self, at_ns: u64) -> Mark {
        let server_cpu_ns = self.pid.and_then(process::cpu_ns);
        let (own_cpu_ns, own_wait_ns) = (process::own_cpu_ns(), process::own_wait_ns());
        let mut counts = self.hall.record.counts;
        counts.bytes = self.crowd.bytes;
        Mark { at_ns, counts, own_cpu_ns, own_wait_ns, server_cpu_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::churn::Churn;
    use super::presence::Presence;
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn who_stays_long_is_waited_for() {
        let times = (0, 10 * S);
        let check = |scenario: &dyn Fn(u64) -> bool, hold_s: u64| {
            let last_ns = (10 + hold_s) * S + SILENCE_NS_MAX;
            assert!(!scenario(last_ns), "{hold_s}");
            assert!(scenario(last_ns + 1), "{hold_s}");
        };
        for hold_s in [1, 6, 60] {
            let churn = Churn::new(10, hold_s * S, times, 100);
            check(&|now_ns| is_given_up(&churn, now_ns), hold_s);
            let presence = Presence::new((4, 2), (10, hold_s * S), times, 100);
            check(&|now_ns| is_given_up(&presence, now_ns), hold_s);
            assert!(!presence.is_over((10 + hold_s + 16) * S), "nobody has come yet");
        }
    }
}
