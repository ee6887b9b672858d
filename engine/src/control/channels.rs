//! The channels that a tenant registered: by name, in the order of names.

use std::collections::BTreeMap;
use std::ops::Bound;

use protocol::{ChannelType, Rejection};

use super::catalog::{CatalogChange, Entry, key};
use crate::ids::{MessageId, TenantId};

/// Their table in the catalog.
pub const CHANNELS: &str = "channels";

/// One registered channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Registered {
    /// Its id; it keeps it until it is deleted.
    pub id: MessageId,
    /// Who may use it.
    pub kind: ChannelType,
    /// When it was registered.
    pub created_at_ms: u64,
}

/// A part of a list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ChannelPage {
    /// By name.
    pub channels: Vec<(Box<str>, Registered)>,
    /// Whether there are more behind them.
    pub has_more: bool,
}

/// All of a tenant's.
#[derive(Debug, Default)]
pub(super) struct Channels {
    by_name: BTreeMap<Box<str>, Registered>,
}

impl Channels {
    /// Says what the catalog has.
    pub(super) fn restore(&mut self, name: &str, channel: Registered) {
        self.by_name.insert(name.into(), channel);
    }

    /// The channel of a name.
    #[must_use]
    pub(super) fn find(&self, name: &str) -> Option<Registered> {
        self.by_name.get(name).copied()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether a channel can be registered: `Some` is the one that is there, `None` that there is none yet.
    ///
    /// # Errors
    /// When it is of another kind, or there are as many as there may be.
    pub(super) fn admit(
        &self,
        name: &str,
        kind: Option<ChannelType>,
        max: usize,
    ) -> Result<Option<Registered>, Rejection> {
        match self.find(name) {
            Some(known) if kind.is_some_and(|it| it != known.kind) => {
                Err(Rejection::ChannelTypeConflict)
            }
            Some(known) => Ok(Some(known)),
            None if self.len() >= max => {
                Err(Rejection::Overloaded { limit: "registered_channels_max" })
            }
            None => Ok(None),
        }
    }

    /// Sets or removes a channel. Returns what was there.
    pub(super) fn set(&mut self, name: &str, channel: Option<Registered>) -> Option<Registered> {
        match channel {
            Some(channel) => self.by_name.insert(name.into(), channel),
            None => self.by_name.remove(name),
        }
    }

    /// Forgets up to `count`, and none after so many bytes of names; returns their names.
    pub(super) fn forget(&mut self, count: usize, bytes_max: usize) -> Vec<Box<str>> {
        let (mut gone, mut bytes) = (Vec::new(), 0);
        while gone.len() < count
            && bytes < bytes_max
            && let Some((name, _)) = self.by_name.pop_first()
        {
            bytes += name.len();
            gone.push(name);
        }
        gone
    }

    /// The channels behind a name. What is registered meanwhile changes nothing of what was listed before.
    #[must_use]
    pub(super) fn page(&self, after: Option<&str>, limit: usize) -> ChannelPage {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.by_name.range::<str, _>((start, Bound::Unbounded));
        let some = rest.by_ref().take(limit).map(|(name, it)| (name.clone(), *it));
        let channels = some.collect();
        ChannelPage { channels, has_more: rest.next().is_some() }
    }
}

fn entry(tenant: TenantId, name: &str) -> Entry {
    Entry { table: CHANNELS, key: key(tenant, name.as_bytes()) }
}

/// The change that keeps a channel, or forgets it.
pub(super) fn change(tenant: TenantId, name: &str, channel: Option<Registered>) -> CatalogChange {
    let Some(channel) = channel else { return CatalogChange::Delete(entry(tenant, name)) };
    let mut value = channel.id.0.to_le_bytes().to_vec();
    value.extend_from_slice(&channel.created_at_ms.to_le_bytes());
    value.extend_from_slice(channel.kind.name().as_bytes());
    CatalogChange::Put(entry(tenant, name), value)
}

/// What a row of the catalog says, behind its tenant.
#[must_use]
pub fn read_channel<'a>(rest: &'a [u8], value: &[u8]) -> Option<(&'a str, Registered)> {
    let name = std::str::from_utf8(rest).ok()?;
    let (id, value) = value.split_first_chunk()?;
    let (created_at_ms, kind) = value.split_first_chunk()?;
    let kind = ChannelType::parse(std::str::from_utf8(kind).ok()?)?;
    let id = MessageId(u128::from_le_bytes(*id));
    let created_at_ms = u64::from_le_bytes(*created_at_ms);
    Some((name, Registered { id, kind, created_at_ms }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(id: u128) -> Registered {
        Registered { id: MessageId(id), kind: ChannelType::Private, created_at_ms: 5 }
    }

    fn with(names: &[&str]) -> Channels {
        let mut channels = Channels::default();
        for name in names {
            channels.set(name, Some(channel(1)));
        }
        channels
    }

    #[test]
    fn a_name_has_one_channel_of_one_kind() {
        let channels = with(&["a"]);
        assert_eq!(channels.admit("a", None, 1), Ok(Some(channel(1))));
        assert_eq!(channels.admit("a", Some(ChannelType::Private), 1), Ok(Some(channel(1))));
        assert_eq!(
            channels.admit("a", Some(ChannelType::Public), 9),
            Err(Rejection::ChannelTypeConflict)
        );
        assert_eq!(channels.admit("b", None, 2), Ok(None));
        let full = Err(Rejection::Overloaded { limit: "registered_channels_max" });
        assert_eq!(channels.admit("b", None, 1), full);
    }

    #[test]
    fn pages_follow_each_other_by_name() {
        let mut channels = with(&["b", "a", "d", "c"]);
        let names = |page: &ChannelPage| {
            page.channels.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
        };
        let first = channels.page(None, 2);
        assert_eq!((names(&first), first.has_more), (vec!["a".into(), "b".into()], true));
        channels.set("aa", Some(channel(2)));
        let second = channels.page(Some("b"), 2);
        assert_eq!((names(&second), second.has_more), (vec!["c".into(), "d".into()], false));
        assert_eq!(channels.page(Some("d"), 2), ChannelPage::default());
    }

    #[test]
    fn a_row_reads_as_it_was_written() {
        let CatalogChange::Put(entry, value) = change(TenantId(3), "ä:1", Some(channel(7))) else {
            unreachable!()
        };
        let (tenant, rest) = super::super::catalog::tenant_of(&entry.key).unwrap();
        assert_eq!(tenant, TenantId(3));
        assert_eq!(read_channel(rest, &value), Some(("ä:1", channel(7))));
    }
}
