//! Each promise broken once, by an edit of a history that keeps all of them.

use std::collections::{BTreeMap, BTreeSet};

use loadtest::history::{Begin, Channel, Event, Place, Rule, Shown, check};

/// The checker finds every one.
pub(crate) fn each_is_found(whole: &[Event]) {
    of_messages(whole);
    of_clients(whole);
    stale_epoch(whole);
}

/// Breaks a promise. The checker says which.
fn plant(whole: &[Event], (name, rule): (&str, Rule), edit: impl FnOnce(&mut Vec<Event>)) {
    let mut events = whole.to_vec();
    edit(&mut events);
    let verdict = check(&events);
    let is_found = verdict.findings.iter().any(|it| it.rule == rule);
    assert!(is_found, "{name} is not found: {verdict}");
}

fn of_messages(whole: &[Event]) {
    let plant = |name, rule, edit: &dyn Fn(&mut Vec<Event>)| plant(whole, (name, rule), edit);
    let middle = middle(whole);
    plant("a lost message", Rule::Lost, &|it| {
        let last = it.iter().rposition(|it| matches!(it, Event::Kept { .. })).unwrap();
        it.remove(last);
    });
    plant("a lost tail", Rule::Lost, &|it| {
        let quiet = it.iter().position(|it| *it == Event::Quiet).unwrap();
        let over: BTreeSet<u64> = it[..quiet].iter().filter_map(ended).collect();
        let is_open =
            |it: &Event| matches!(it, Event::Delivered { sub, .. } if !over.contains(sub));
        let last = it[..quiet].iter().rposition(|it| is_kept_delivery(it) && is_open(it));
        it.remove(last.unwrap());
    });
    plant("a gap", Rule::Gap, &|it| drop(it.remove(middle)));
    plant("a duplicate", Rule::Duplicate, &|it| it.insert(middle, it[middle].clone()));
    plant("two that are swapped", Rule::Order, &|it| {
        let before = previous(it, middle);
        let (one, two) = (it[before].clone(), it[middle].clone());
        it[middle] = one;
        it.insert(middle, two);
        it.remove(before);
    });
    plant("a phantom", Rule::Phantom, &|it| change(&mut it[middle], |it| it.message = u64::MAX));
    plant("a refusal that was none", Rule::Phantom, &refuse);
    plant("another payload", Rule::Damaged, &|it| change(&mut it[middle], |it| it.digest ^= 1));
    plant("another tenant's word", Rule::Canary, &|it| {
        change(&mut it[middle], |it| it.canary = "three".to_owned());
    });
    plant("a key with two messages", Rule::Duplicate, &|it| {
        let is = |it: &&mut Event| matches!(it, Event::Accepted { id: Some(_), .. });
        let again = retried(it);
        let is_again =
            |it: &&mut Event| matches!(it, Event::Accepted { op, .. } if again.contains(op));
        if let Some(Event::Accepted { id, .. }) = it.iter_mut().filter(is).find(is_again) {
            *id = Some("another".to_owned());
        }
    });
}

fn of_clients(whole: &[Event]) {
    let plant = |name, rule, edit: &dyn Fn(&mut Vec<Event>)| plant(whole, (name, rule), edit);
    plant("a ghost", Rule::Presence, &|it| {
        let at = it.iter().position(|it| matches!(it, Event::Present { .. })).unwrap();
        if let Event::Present { members, .. } = &mut it[at] {
            members.push("ghost".to_owned());
        }
    });
    plant("a leave that nobody was told", Rule::Presence, &|it| {
        let at = it.iter().position(|it| matches!(it, Event::Left { .. })).unwrap();
        it.insert(at, it[at].clone());
    });
    plant("an effect after a revocation", Rule::Revoked, &|it| {
        let at = it.iter().position(|it| matches!(it, Event::Revoked { .. })).unwrap();
        if let Event::Revoked { token } = it[at] {
            it.insert(at + 1, Event::Entering { session: u64::MAX, token });
            it.insert(at + 2, Event::Entered { session: u64::MAX });
        }
    });
}

fn is_kept_delivery(event: &Event) -> bool {
    matches!(event, Event::Delivered { shown: Shown { place: Some(_), .. }, .. })
}

fn ended(event: &Event) -> Option<u64> {
    if let Event::Ended { sub } = event { Some(*sub) } else { None }
}

/// A kept delivery that has one of the same subscription before it and one behind it.
fn middle(events: &[Event]) -> usize {
    let mut lines: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (at, event) in events.iter().enumerate().filter(|(_, it)| is_kept_delivery(it)) {
        if let Event::Delivered { sub, .. } = event {
            lines.entry(*sub).or_default().push(at);
        }
    }
    let longest = lines.values().max_by_key(|it| it.len()).unwrap();
    longest[longest.len() / 2]
}

/// The one of the same subscription before.
fn previous(events: &[Event], at: usize) -> usize {
    let Event::Delivered { sub, .. } = events[at] else { panic!() };
    let is = |it: &Event| {
        is_kept_delivery(it) && matches!(it, Event::Delivered { sub: of, .. } if *of == sub)
    };
    events[..at].iter().rposition(is).unwrap()
}

fn change(event: &mut Event, edit: impl FnOnce(&mut Shown)) {
    if let Event::Delivered { shown, .. } = event {
        edit(shown);
    }
}

/// The first message that was accepted at once and shown was refused instead.
#[expect(clippy::ptr_arg, reason = "an edit like the others")]
fn refuse(events: &mut Vec<Event>) {
    let again = retried(events);
    let is = |it: &Event| matches!(it, Event::Accepted { op, place: Some(_), .. } if !again.contains(op));
    let at = events.iter().position(is).unwrap();
    if let Event::Accepted { op, .. } = events[at] {
        events[at] = Event::Refused { op };
    }
}

/// Asks of messages that were asked for several times.
fn retried(events: &[Event]) -> Vec<u64> {
    let mut asks: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for event in events {
        if let Event::Invoked { op, message, .. } = event {
            asks.entry(*message).or_default().push(*op);
        }
    }
    asks.into_values().filter(|it| it.len() > 1).flatten().collect()
}

/// A channel begins its next epoch with its last message but one. That alone is nothing wrong; that the last one is of the epoch
/// before is.
fn stale_epoch(whole: &[Event]) {
    let mut channels: Vec<(&Channel, u64)> = Vec::new();
    for event in whole {
        if let Event::Kept { channel, shown: Shown { place: Some(place), .. } } = event {
            channels.retain(|(of, _)| *of != channel);
            channels.push((channel, place.offset.saturating_sub(1)));
        }
    }
    let found = channels.into_iter().find(|(channel, from)| !is_crossed(whole, channel, *from));
    let (channel, from) = found.expect("somebody came back at the end to every channel");
    let of_channel = numbers(whole, channel);
    let mut events = whole.to_vec();
    for event in &mut events {
        raise(event, &of_channel, channel, from);
    }
    let verdict = check(&events);
    assert!(verdict.is_whole(), "an epoch may begin: {verdict}");
    let is_last = |it: &Event| match it {
        Event::Delivered { sub, shown } => {
            let is_it = shown.place == Some(Place { epoch: 1, offset: from + 1 });
            is_it && of_channel.contains(sub)
        }
        _ => false,
    };
    let at = events.iter().rposition(is_last).unwrap();
    change(&mut events[at], |it| it.place = Some(Place { epoch: 0, offset: from + 1 }));
    let verdict = check(&events);
    assert!(verdict.findings.iter().any(|it| it.rule == Rule::StaleEpoch), "{verdict}");
}

/// Whether somebody goes on from before an offset once that is there: no resume leads from one epoch into another.
fn is_crossed(whole: &[Event], of: &Channel, from: u64) -> bool {
    let of_channel = numbers(whole, of);
    let is_late = |it: &Event| match it {
        Event::Delivered { sub: number, shown: Shown { place: Some(place), .. } }
        | Event::Accepted { op: number, place: Some(place), .. } => {
            place.offset >= from && of_channel.contains(number)
        }
        _ => false,
    };
    let Some(first) = whole.iter().position(is_late) else { return true };
    whole[first..].iter().any(|it| match it {
        Event::Subscribing { channel, after: Some(after), .. } => {
            channel == of && after.offset < from
        }
        _ => false,
    })
}

fn numbers(whole: &[Event], of: &Channel) -> BTreeSet<u64> {
    whole.iter().filter_map(|it| number_in(it, of)).collect()
}

/// The number of an ask, subscription or page of a channel. Nothing else has it.
fn number_in(event: &Event, of: &Channel) -> Option<u64> {
    match event {
        Event::Invoked { op, channel, .. } if channel == of => Some(*op),
        Event::Subscribing { sub, channel, .. } if channel == of => Some(*sub),
        Event::Reading { read, channel, .. } if channel == of => Some(*read),
        _ => None,
    }
}

/// Puts what an event of a channel says into the next epoch, from an offset on.
fn raise(event: &mut Event, of_channel: &BTreeSet<u64>, of: &Channel, from: u64) {
    let raise = |place: &mut Option<Place>| {
        if let Some(place) = place.as_mut().filter(|it| it.offset >= from) {
            place.epoch = 1;
        }
    };
    let is_of = |number: &u64| of_channel.contains(number);
    match event {
        Event::Accepted { op, place, .. } if is_of(op) => raise(place),
        Event::Delivered { sub, shown } if is_of(sub) => raise(&mut shown.place),
        Event::Kept { channel, shown } if channel == of => raise(&mut shown.place),
        Event::Subscribing { channel, after, .. } if channel == of => raise(after),
        Event::Reading { channel, after, .. } if channel == of && after.offset >= from => {
            after.epoch = 1;
        }
        Event::Read { read, rows, .. } if is_of(read) => {
            rows.iter_mut().for_each(|it| raise(&mut it.place));
        }
        Event::Subscribed { sub, begin, .. } if is_of(sub) => raise_begin(begin, raise),
        _ => {}
    }
}

fn raise_begin(begin: &mut Begin, raise: impl Fn(&mut Option<Place>)) {
    match begin {
        Begin::Fresh(place) | Begin::Gapped(place) => raise(place),
        Begin::Resumed | Begin::Recovering => {}
    }
}
