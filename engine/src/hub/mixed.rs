//! What one connection gets in a turn, in order: frames of its own, and parts of what its groups get.

use super::GroupId;
use crate::ids::ConnId;

/// A connection that gets more than one shared frame.
#[derive(Debug, Default)]
pub(super) struct Mixed {
    pub conn: Option<ConnId>,
    pub own: Vec<u8>,
    pub parts: Vec<Part>,
    /// Up to where it already has, or must not have, what a group has pending.
    pub cuts: Vec<(GroupId, usize)>,
    /// Whether it is one of many who get something, and may wait as they do.
    pub may_wait: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Own { start: usize, end: usize },
    Shared { group: GroupId, start: usize, end: usize },
}

impl Mixed {
    /// It may have left the group and come back within the turn: the later cut counts.
    pub(super) fn cut(&mut self, group: GroupId, upto: usize) {
        match self.cuts.iter_mut().find(|(it, _)| *it == group) {
            Some((_, cut)) => *cut = upto,
            None => self.cuts.push((group, upto)),
        }
    }

    /// What the group has pending so far is for this connection.
    pub(super) fn settle(&mut self, group: GroupId, upto: usize) {
        let start = match self.cuts.iter_mut().find(|(it, _)| *it == group) {
            Some((_, cut)) => std::mem::replace(cut, upto),
            None if upto == 0 => return,
            None => {
                self.cuts.push((group, upto));
                0
            }
        };
        if upto > start {
            self.parts.push(Part::Shared { group, start, end: upto });
        }
    }

    /// Its parts of groups that have no frame yet become its own: `pending` gives what such a group has.
    pub(super) fn own_what_waits<'a>(&mut self, pending: impl Fn(GroupId) -> Option<&'a [u8]>) {
        for part in &mut self.parts {
            if let Part::Shared { group, start, end } = *part
                && let Some(pending) = pending(group)
            {
                let first = self.own.len();
                self.own.extend_from_slice(pending.get(start..end).unwrap_or_default());
                *part = Part::Own { start: first, end: self.own.len() };
            }
        }
    }

    /// What another connection would have got comes behind that.
    pub(super) fn append(&mut self, other: &Self) {
        let shift = self.own.len();
        self.own.extend_from_slice(&other.own);
        self.parts.extend(other.parts.iter().map(|part| match *part {
            Part::Own { start, end } => Part::Own { start: start + shift, end: end + shift },
            shared @ Part::Shared { .. } => shared,
        }));
        self.cuts.extend_from_slice(&other.cuts);
    }
}
