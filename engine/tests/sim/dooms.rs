//! Messages that were on their way, or kept, when somebody asked for their channel or their tenant's resource to be deleted: once
//! that is answered none of them is anywhere.

use std::collections::{BTreeMap, BTreeSet};

use engine::ids::{Offset, ShardId, TenantId};
use engine::shard::input::{Input, Keep, Request};
use storage::Publication;

use crate::checker::{Truth, number_of};
use crate::faults::Fault;
use crate::journal::{Key, key};
use crate::world::World;

/// One deletion that was asked for.
pub type DoomId = u64;

#[derive(Debug)]
struct Doom {
    tenant: TenantId,
    /// One channel; or all of them.
    channel: Option<String>,
    /// What is to go.
    numbers: BTreeSet<usize>,
    /// Only what is kept by then; nothing that is still on its way.
    is_of_kept: bool,
    /// Whether the node was looked through.
    is_whole: bool,
}

/// All deletions.
#[derive(Debug, Default)]
pub struct Dooms {
    next: DoomId,
    asked: BTreeMap<DoomId, Doom>,
    /// What is gone for good, and since when.
    gone: BTreeMap<usize, u64>,
    /// Up to which offset the journals let go.
    pub let_go: BTreeMap<Key, u64>,
}

impl Dooms {
    /// Whether a message was let go.
    pub fn has(&self, number: usize) -> bool {
        self.gone.contains_key(&number)
    }

    /// A retry with its key brings a message again that was lost on its way.
    pub fn revive(&mut self, number: usize) {
        self.gone.remove(&number);
    }

    /// The journal or its home refused a message: what comes of a retry was not there when a deletion was asked for.
    pub fn lose(&mut self, number: usize) {
        for doom in self.asked.values_mut() {
            doom.numbers.remove(&number);
        }
    }
}

impl Truth {
    /// Somebody asks for messages to go, and has sent these before.
    pub fn doom(&mut self, tenant: TenantId, channel: Option<String>, own: Vec<usize>) -> DoomId {
        let id = self.dooms.next;
        self.dooms.next += 1;
        let numbers = own.into_iter().collect();
        let doom = Doom { tenant, channel, numbers, is_of_kept: false, is_whole: false };
        self.dooms.asked.insert(id, doom);
        id
    }

    /// Somebody asks for all messages to go that a tenant has by now.
    pub fn doom_kept(&mut self, tenant: TenantId) -> DoomId {
        let id = self.doom(tenant, None, Vec::new());
        self.dooms.asked.entry(id).and_modify(|it| it.is_of_kept = true);
        id
    }

    /// Somebody was answered: in this step the messages are gone, or else nothing is said of them.
    pub fn end_doom(&mut self, id: DoomId, done_at: Option<u64>) {
        let doom = self.dooms.asked.remove(&id).expect("a deletion is answered once");
        let Some(step) = done_at else { return };
        assert!(doom.is_whole, "the node was looked through");
        for number in doom.numbers {
            let key = self.issued[number].key.clone();
            let log = self.durable.get(&key).map_or(&[][..], Vec::as_slice);
            if let Some(place) = log.iter().position(|it| *it == number) {
                let offset = place as u64 + 1;
                let let_go = self.dooms.let_go.get(&key).copied().unwrap_or_default();
                assert!(offset <= let_go, "e{number} outlives its deletion: {offset} > {let_go}");
            }
            self.dooms.gone.entry(number).or_insert(step);
        }
    }

    /// A message is in a history that was asked for in this step.
    pub fn check_not_dropped(&self, number: usize, asked_at: u64) {
        let gone_at = self.dooms.gone.get(&number).copied().unwrap_or(u64::MAX);
        assert!(asked_at <= gone_at, "e{number} was let go in step {gone_at}, read in {asked_at}");
    }
}

impl World {
    /// Looks through the node for what a deletion that was just asked for is about.
    pub fn fill_dooms(&mut self) {
        let mut dooms = std::mem::take(&mut self.truth.dooms);
        for doom in dooms.asked.values_mut().filter(|it| !it.is_whole) {
            let is_theirs = |it: &Publication| {
                let channel = it.channel();
                channel.tenant() == doom.tenant
                    && doom.channel.as_ref().is_none_or(|it| it == channel.name())
            };
            let mut numbers = BTreeSet::new();
            let mut note = |it: &Publication| {
                numbers.extend(is_theirs(it).then(|| number_of(it.event())));
            };
            // Where the clock jumps nobody can say what was taken by now.
            let jumps = self.plan.has(Fault::ClockJumps) || self.plan.has(Fault::WallClockBack);
            let is_vague = doom.is_of_kept && jumps;
            for journal in self.journals.iter().filter(|_| !is_vague) {
                journal.kept().for_each(|it| note(it));
                journal.waiting().filter(|_| !doom.is_of_kept).for_each(|it| note(it));
            }
            let sent = self.requests.iter().flat_map(published);
            sent.filter(|_| !doom.is_of_kept).for_each(&mut note);
            self.seen.note_if(!numbers.is_empty(), "deletion of messages asked for");
            doom.numbers.extend(numbers);
            doom.is_whole = true;
        }
        self.truth.dooms = dooms;
    }

    /// A request comes to a home. What it is to keep and does not give to the journal it refuses.
    pub fn feed_request(&mut self, shard: usize, from: ShardId, request: Request) {
        let numbers: Vec<_> = published(&request).iter().map(|it| number_of(it.event())).collect();
        self.feed(shard, Input::Request(from, request));
        let journal = &self.journals[shard];
        for number in numbers {
            let mut there = journal.waiting().chain(journal.durable.values().flatten());
            if !there.any(|it| number_of(it.event()) == number) {
                self.truth.dooms.lose(number);
            }
        }
    }

    /// What the journals let go may be missing from history; what they refused was not there.
    pub fn note_let_go(&mut self, shard: usize) {
        for it in self.journals[shard].refused.drain(..) {
            self.truth.dooms.lose(number_of(it.event()));
        }
        for (key, last) in &self.journals[shard].gone {
            let known = self.truth.dooms.let_go.entry(key.clone()).or_default();
            let more = (*known + 1..=*last).map(Offset);
            self.truth.damaged.entry(key.clone()).or_default().extend(more);
            *known = (*known).max(*last);
        }
    }
}

/// What a request publishes, to be kept.
fn published(request: &Request) -> Vec<&Publication> {
    match request {
        Request::Publish(it, Keep::Persist, _) => vec![it],
        Request::PublishMany(many) => {
            let kept = many.publications.iter().filter(|it| it.keep == Keep::Persist);
            kept.map(|it| &*it.publication).collect()
        }
        Request::Publish(..)
        | Request::Join(_)
        | Request::Leave(_)
        | Request::History(_)
        | Request::Peek(..)
        | Request::Seat(..)
        | Request::Enforce(..)
        | Request::Mark(..)
        | Request::Advance(_)
        | Request::Parcel(_)
        | Request::Release(..) => Vec::new(),
    }
}

/// What a journal has.
impl crate::journal::Journal {
    fn kept(&self) -> impl Iterator<Item = &std::sync::Arc<Publication>> {
        let kept = self.durable.values().flatten();
        kept.filter(|it| {
            let gone = self.gone.get(&key(it.channel())).copied().unwrap_or_default();
            it.offset().unwrap().0 > gone
        })
    }
}
