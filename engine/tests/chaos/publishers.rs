//! Servers that publish over HTTP: some at a time on one connection, and again with the same key until they know.

use std::collections::VecDeque;
use std::time::Duration;

use loadtest::history::{Event, Place, Shown};
use serde_json::Value;

use super::http::{Answer, Http};
use super::node::pause;
use super::session::invoke;
use super::tenant::{CHANNELS, Tenant, message};
use super::world::{Chance, Phase, World};

const AT_ONCE_MAX: usize = 4;
const PAGE: usize = 100;

/// A server of Cohesivity: publishes, and reads pages of history from anywhere.
pub(crate) fn cohesivity(world: &World, tenant: &'static Tenant, seed: u64) {
    let mut chance = Chance::new(seed);
    let path = format!("/edge/realtime?key={}", tenant.application_key());
    let mut last = 0;
    while let Some(mut http) = connect(world) {
        let by = world.number();
        while world.phase() == Phase::Work {
            pause(chance.between_ms(20, 100));
            let count = 1 + chance.below(AT_ONCE_MAX);
            let channel = *chance.of(&CHANNELS);
            let mut asked: VecDeque<u64> = VecDeque::new();
            for _ in 0..count {
                let (number, is_kept) = (world.number(), !chance.one_in(5));
                let payload = tenant.payload(number, &mut chance);
                asked.push_back(invoke(world, by, (tenant, channel), (number, &payload), is_kept));
                http.ask(&path, None, Some(&message(channel, &payload, is_kept)));
            }
            while let Some(answer) = asked.front().and_then(|_| http.answer()) {
                let place = answer.json()["id"].as_u64().map(|offset| Place { epoch: 0, offset });
                last = place.map_or(last, |it| it.offset);
                settle(world, asked.pop_front().unwrap(), &answer, (None, place));
            }
            if !asked.is_empty() {
                asked.into_iter().for_each(|op| world.note(Event::Unknown { op }));
                break;
            }
            if let Some(port) = world.port().filter(|_| chance.one_in(6)) {
                let back = u64::try_from(chance.below(PAGE)).unwrap();
                read_page(world, port, (tenant, channel), last.saturating_sub(back));
            }
        }
    }
}

/// A message with a key, which is asked for until its server knows, and once in a while again.
struct Pending {
    number: u64,
    channel: &'static str,
    body: String,
    payload: String,
}

/// A server of Infrai: every message has an idempotency key.
pub(crate) fn infrai(world: &World, tenant: &'static Tenant, seed: u64) {
    let mut chance = Chance::new(seed);
    let key = tenant.project_key();
    let mut pending: VecDeque<Pending> = VecDeque::new();
    while let Some(mut http) = connect(world) {
        let by = world.number();
        while world.phase() == Phase::Work {
            pause(chance.between_ms(20, 100));
            while pending.len() < AT_ONCE_MAX && !chance.one_in(3) {
                pending.push_back(pend(world, tenant, &mut chance));
            }
            let mut asked = VecDeque::new();
            for it in &pending {
                let (channel, content) = ((tenant, it.channel), (it.number, it.payload.as_str()));
                asked.push_back(invoke(world, by, channel, content, true));
                http.ask("/v1/realtime/publish", Some(&key), Some(&it.body));
            }
            let mut again = VecDeque::new();
            while let Some(answer) = asked.front().and_then(|_| http.answer()) {
                let id = answer.json()["data"]["message_id"].as_str().map(str::to_owned);
                settle(world, asked.pop_front().unwrap(), &answer, (id, None));
                let it = pending.pop_front().unwrap();
                let is_again = answer.status != 200 || chance.one_in(5);
                again.extend(Some(it).filter(|_| is_again));
            }
            let is_over = !asked.is_empty();
            asked.into_iter().for_each(|op| world.note(Event::Unknown { op }));
            pending.append(&mut again);
            if is_over || chance.one_in(20) {
                break;
            }
        }
    }
}

fn pend(world: &World, tenant: &Tenant, chance: &mut Chance) -> Pending {
    let (number, channel) = (world.number(), *chance.of(&CHANNELS));
    let payload = tenant.payload(number, chance);
    let body = message(channel, &payload, true);
    let body = format!("{{\"idempotency_key\":\"message-{number}\",{}", &body[1..]);
    Pending { number, channel, body, payload }
}

/// A connection, as soon as there is somebody; `None` once the work is over.
fn connect(world: &World) -> Option<Http> {
    loop {
        if world.phase() != Phase::Work {
            return None;
        }
        match world.port().and_then(Http::open) {
            Some(http) => return Some(http),
            None => pause(Duration::from_millis(20)),
        }
    }
}

fn settle(world: &World, op: u64, answer: &Answer, (id, place): (Option<String>, Option<Place>)) {
    world.note(match answer.status {
        200 => Event::Accepted { op, id, place },
        _ if answer.is_refusal() => Event::Refused { op },
        _ => Event::Unknown { op },
    });
}

/// Reads a page of history behind an id, and notes it.
pub(crate) fn read_page(
    world: &World,
    port: u16,
    (tenant, channel): (&Tenant, &str),
    after: u64,
) -> Option<(u64, usize)> {
    let read = world.number();
    let after_place = Place { epoch: 0, offset: after };
    world.note(Event::Reading { read, channel: tenant.channel(channel), after: after_place });
    let rows = rows(port, (tenant, channel), after)?;
    let (count, last) = (rows.len(), rows.last().and_then(|it| it.place));
    world.note(Event::Read { read, rows, is_last: count < PAGE });
    Some((last.map_or(after, |it| it.offset), count))
}

/// The messages of a page of history.
pub(crate) fn rows(
    port: u16,
    (tenant, channel): (&Tenant, &str),
    after: u64,
) -> Option<Vec<Shown>> {
    let key = tenant.application_key();
    let path =
        format!("/edge/realtime/history?channel={channel}&after={after}&limit={PAGE}&key={key}");
    let answer = Http::once(port, &path, None, None).filter(|it| it.status == 200)?;
    let page: Value = serde_json::from_str(&answer.body).ok()?;
    let ids: Vec<u64> =
        page["messages"].as_array()?.iter().filter_map(|it| it["id"].as_u64()).collect();
    // Each message has its payload once, byte for byte.
    let mut texts = answer.body.split("{\"m\":").skip(1);
    let mut shown = Vec::new();
    for offset in ids {
        let text = format!("{{\"m\":{}", texts.next()?);
        let it = tenant.shown(&text)?;
        shown.push(Shown { place: Some(Place { epoch: 0, offset }), ..it });
    }
    Some(shown)
}
