//! Rows of places and dead letters as bytes. Numbers are big-endian; texts have their length in front.
//!
//! ```text
//! endpoint = tenant:u32 text(hook) text(url)
//! place    key = endpoint text(feed)         value = version:u8 since:u128 ended:u128 unknown:u128 (first:u128 last:u128)*
//! letter   key = endpoint id:u64             value = version:u8 text(feed) before:u128 place:u128 reason:u8 status:u16
//!                                                    attempts:u32 died_at_ms:u64 (message_id:u128 at_ms:u64 text(channel) text(event))?
//! ```

use storage::TenantId;

use super::{Letter, LetterHead};
use crate::side::webhook::names::{EndpointKey, Fault, Feed, Place, Reason};
use crate::side::webhook::tally::Standing;

const VERSION: u8 = 1;

pub(super) fn endpoint_bytes(endpoint: &EndpointKey) -> Vec<u8> {
    let mut out = endpoint.tenant.0.to_be_bytes().to_vec();
    push_text(&mut out, &endpoint.hook);
    push_text(&mut out, &endpoint.url);
    out
}

pub(super) fn place_key(endpoint: &EndpointKey, feed: &Feed) -> Vec<u8> {
    let mut out = endpoint_bytes(endpoint);
    push_text(&mut out, &feed.0);
    out
}

pub(super) fn letter_key(endpoint: &EndpointKey, id: u64) -> Vec<u8> {
    let mut out = endpoint_bytes(endpoint);
    out.extend_from_slice(&id.to_be_bytes());
    out
}

pub(super) fn place_of_key(key: &[u8]) -> Option<(EndpointKey, Feed)> {
    let mut parts = Parts(key);
    let endpoint = parts.endpoint()?;
    let feed = Feed(parts.text()?.into());
    parts.is_done().then_some((endpoint, feed))
}

pub(super) fn letter_of_key(key: &[u8]) -> Option<(EndpointKey, u64)> {
    let mut parts = Parts(key);
    let endpoint = parts.endpoint()?;
    let id = u64::from_be_bytes(parts.take()?);
    parts.is_done().then_some((endpoint, id))
}

pub(super) fn standing_bytes(standing: &Standing) -> Vec<u8> {
    let mut out = vec![VERSION];
    let runs = standing.failed.iter().flat_map(|(first, last)| [*first, *last]);
    for place in [standing.since, standing.ended, standing.unknown].into_iter().chain(runs) {
        out.extend_from_slice(&place.0.to_be_bytes());
    }
    out
}

pub(super) fn standing_of(bytes: &[u8]) -> Option<Standing> {
    let (version, rest) = bytes.split_first()?;
    let (places, left) = rest.as_chunks::<16>();
    if *version != VERSION || !left.is_empty() {
        return None;
    }
    let mut places = places.iter().map(|it| Place(u128::from_be_bytes(*it)));
    let (since, ended, unknown) = (places.next()?, places.next()?, places.next()?);
    let mut standing = Standing::new(since);
    (standing.ended, standing.unknown) = (ended, unknown);
    while let Some(first) = places.next() {
        standing.failed.push_back((first, places.next()?));
    }
    Some(standing)
}

pub(super) fn letter_bytes(letter: &Letter) -> Vec<u8> {
    let mut out = vec![VERSION];
    push_text(&mut out, &letter.feed.0);
    out.extend_from_slice(&letter.before.0.to_be_bytes());
    out.extend_from_slice(&letter.place.0.to_be_bytes());
    let (reason, status) = reason_bytes(letter.reason);
    out.push(reason);
    out.extend_from_slice(&status.to_be_bytes());
    out.extend_from_slice(&letter.attempts.to_be_bytes());
    out.extend_from_slice(&letter.died_at_ms.to_be_bytes());
    if let Some(head) = &letter.message {
        out.extend_from_slice(&head.id.to_be_bytes());
        out.extend_from_slice(&head.at_ms.to_be_bytes());
        push_text(&mut out, &head.channel);
        push_text(&mut out, &head.event);
    }
    out
}

pub(super) fn letter_of(id: u64, bytes: &[u8]) -> Option<Letter> {
    let (version, rest) = bytes.split_first()?;
    let mut parts = Parts(rest);
    if *version != VERSION {
        return None;
    }
    let feed = Feed(parts.text()?.into());
    let (before, place) = (parts.place()?, parts.place()?);
    let [kind] = parts.take()?;
    let reason = reason_of(kind, u16::from_be_bytes(parts.take()?))?;
    let attempts = u32::from_be_bytes(parts.take()?);
    let died_at_ms = u64::from_be_bytes(parts.take()?);
    let message = if parts.is_done() { None } else { Some(head_of(&mut parts)?) };
    Some(Letter { id, feed, before, place, reason, attempts, died_at_ms, message })
}

fn head_of(parts: &mut Parts<'_>) -> Option<LetterHead> {
    let id = u128::from_be_bytes(parts.take()?);
    let at_ms = u64::from_be_bytes(parts.take()?);
    let (channel, event) = (parts.text()?.to_owned(), parts.text()?.to_owned());
    parts.is_done().then_some(LetterHead { id, at_ms, channel, event })
}

fn reason_bytes(reason: Reason) -> (u8, u16) {
    match reason {
        Reason::Answered(status) => (1, status),
        Reason::Unreachable(Fault::Name) => (2, 0),
        Reason::Unreachable(Fault::Connection) => (3, 0),
        Reason::Unreachable(Fault::Time) => (4, 0),
        Reason::Forbidden => (5, 0),
        Reason::Expired => (6, 0),
        Reason::Removed => (7, 0),
    }
}

fn reason_of(kind: u8, status: u16) -> Option<Reason> {
    Some(match kind {
        1 => Reason::Answered(status),
        2 => Reason::Unreachable(Fault::Name),
        3 => Reason::Unreachable(Fault::Connection),
        4 => Reason::Unreachable(Fault::Time),
        5 => Reason::Forbidden,
        6 => Reason::Expired,
        7 => Reason::Removed,
        _ => return None,
    })
}

/// A text longer than 64 KiB would be cut; names, URLs and events are far shorter.
fn push_text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes().get(..usize::from(u16::MAX)).unwrap_or(text.as_bytes());
    out.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Bytes that are read from the front.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (part, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*part)
    }

    fn text(&mut self) -> Option<&'a str> {
        let bytes = u16::from_be_bytes(self.take()?);
        let (text, rest) = self.0.split_at_checked(bytes.into())?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn place(&mut self) -> Option<Place> {
        Some(Place(u128::from_be_bytes(self.take()?)))
    }

    fn endpoint(&mut self) -> Option<EndpointKey> {
        let tenant = TenantId(u32::from_be_bytes(self.take()?));
        Some(EndpointKey { tenant, hook: self.text()?.into(), url: self.text()?.into() })
    }

    fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn endpoint() -> impl Strategy<Value = EndpointKey> {
        (any::<u32>(), ".{0,40}", ".{0,40}").prop_map(|(tenant, hook, url)| EndpointKey {
            tenant: TenantId(tenant),
            hook: hook.into(),
            url: url.into(),
        })
    }

    fn letter() -> impl Strategy<Value = Letter> {
        let head = (any::<u128>(), any::<u64>(), ".{0,40}", ".{0,40}");
        let head =
            head.prop_map(|(id, at_ms, channel, event)| LetterHead { id, at_ms, channel, event });
        let rest = (1..=7_u8, any::<u16>(), any::<u32>(), any::<u64>());
        let places = (any::<u64>(), ".{0,40}", any::<u128>(), any::<u128>());
        (places, rest, proptest::option::of(head)).prop_map(|(places, rest, message)| Letter {
            id: places.0,
            feed: Feed(places.1.into()),
            before: Place(places.2),
            place: Place(places.3),
            reason: reason_of(rest.0, if rest.0 == 1 { rest.1 } else { 0 }).unwrap(),
            attempts: rest.2,
            died_at_ms: rest.3,
            message,
        })
    }

    proptest! {
        #[test]
        fn rows_are_read_as_they_were_written(
            endpoint in endpoint(),
            feed in ".{0,40}",
            letter in letter(),
            places in (any::<u128>(), any::<u128>(), any::<u128>()),
            runs in proptest::collection::vec((any::<u128>(), any::<u128>()), 0..8),
        ) {
            let feed = Feed(feed.into());
            prop_assert_eq!(place_of_key(&place_key(&endpoint, &feed)), Some((endpoint.clone(), feed)));
            prop_assert_eq!(letter_of_key(&letter_key(&endpoint, letter.id)), Some((endpoint, letter.id)));
            prop_assert_eq!(letter_of(letter.id, &letter_bytes(&letter)), Some(letter));
            let mut standing = Standing::new(Place(places.0));
            (standing.ended, standing.unknown) = (Place(places.1), Place(places.2));
            standing.failed = runs.into_iter().map(|(a, b)| (Place(a), Place(b))).collect();
            prop_assert_eq!(standing_of(&standing_bytes(&standing)), Some(standing));
        }

        #[test]
        fn no_bytes_make_a_row_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (place_of_key(&bytes), letter_of_key(&bytes)); // Whatever they are.
            let _ = (standing_of(&bytes), letter_of(1, &bytes)); // As above.
        }
    }
}
