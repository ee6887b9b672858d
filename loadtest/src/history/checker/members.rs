//! Who is there: what each subscription was told, and who listens.

use super::Checker;
use super::books::Stage;
use crate::history::event::Channel;
use crate::history::finding::Rule;
use std::collections::BTreeSet;

impl Checker {
    /// Who a subscription is told of has asked to be there, and in this life of the node.
    pub(super) fn welcome(&mut self, sub: u64, members: &[String]) {
        let Some(told) = self.subs.get(&sub) else { return };
        let Some((_, book)) = self.books.get(told.channel) else { return };
        let is_ghost = |it: &&String| book.asked.get(*it).is_none_or(|asked| *asked < told.life);
        let ghosts: Vec<String> = members.iter().filter(is_ghost).cloned().collect();
        for ghost in ghosts {
            self.find(Rule::Presence, format!("{sub} is told of {ghost}, who is not there"));
        }
    }

    pub(super) fn joined(&mut self, number: u64, member: &str) {
        self.verdict.moves += 1;
        if !self.is_asked(number) {
            return;
        }
        let Some(sub) = self.standing(number) else { return };
        let is_new = sub.members.as_mut().is_some_and(|it| it.insert(member.to_owned()));
        if !is_new {
            self.find(Rule::Presence, format!("{number} is told that {member} came twice"));
        }
        self.welcome(number, &[member.to_owned()]);
    }

    pub(super) fn left(&mut self, number: u64, member: &str) {
        self.verdict.moves += 1;
        if !self.is_asked(number) {
            return;
        }
        let Some(sub) = self.standing(number) else { return };
        if !sub.members.as_mut().is_some_and(|it| it.remove(member)) {
            let what = format!("{number} is told that {member} left, who was not there");
            self.find(Rule::Presence, what);
        }
    }

    /// Whether a subscription was asked for: nobody else hears of members.
    fn is_asked(&mut self, number: u64) -> bool {
        let is_asked = self.subs.contains_key(&number);
        if !is_asked {
            self.find(Rule::Presence, format!("{number} never asked, and is told of a member"));
        }
        is_asked
    }

    /// Whoever stands now stands in the end.
    pub(super) fn quieten(&mut self) {
        self.is_quiet = true;
        for sub in self.subs.values_mut().filter(|it| it.stage == Stage::Stands) {
            sub.is_to_the_end = true;
            if let (Some(member), Some((_, book))) = (&sub.member, self.books.get_mut(sub.channel))
            {
                book.expected.insert(member.clone());
            }
        }
    }

    /// What the server says when it is asked is who listens, and what everyone believes who was told.
    pub(super) fn present(&mut self, channel: &Channel, members: &[String]) {
        let at = self.book(channel);
        let there: BTreeSet<String> = members.iter().cloned().collect();
        let expected = self.books.get(at).map(|(_, it)| it.expected.clone()).unwrap_or_default();
        for ghost in there.difference(&expected) {
            self.find(Rule::Presence, format!("{ghost} is a ghost in {channel:?}"));
        }
        for missing in expected.difference(&there) {
            self.find(
                Rule::Presence,
                format!("{missing} listens to {channel:?}, and is not there"),
            );
        }
        let wrong: Vec<u64> = self
            .subs
            .iter()
            .filter(|(_, it)| it.is_to_the_end && it.channel == at)
            .filter(|(_, it)| it.members.as_ref().is_some_and(|it| *it != there))
            .map(|(number, _)| *number)
            .collect();
        for number in wrong {
            let believed = self.subs.get(&number).and_then(|it| it.members.clone());
            let what = format!("{number} believes in {believed:?}, and there are {there:?}");
            self.find(Rule::Presence, what);
        }
    }
}
