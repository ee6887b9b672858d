//! What shows only once the whole history is known: what was lost, and what stands in which order.

use super::Checker;
use super::books::{Message, Moment};
use crate::history::finding::{Rule, Verdict};
use std::collections::BTreeMap;

impl Checker {
    /// What is to be said of the history.
    #[must_use]
    pub fn finish(mut self) -> Verdict {
        self.verdict.lines = self.line;
        if !self.is_quiet {
            self.find(Rule::Log, "the history has no end: nothing says that all is quiet".into());
        }
        self.judge_messages();
        for channel in 0..self.books.len() {
            self.judge_times(channel);
            self.look_ahead(channel);
        }
        self.judge_subscriptions();
        self.judge_pages();
        self.verdict.findings.sort_by_key(|it| it.line);
        self.verdict
    }

    /// What was accepted is kept, what was refused is not, and nobody was shown what is not there.
    fn judge_messages(&mut self) {
        for it in &self.messages {
            let end = self.line;
            let wrong = match (it.is_kept, it.nth, it.shown) {
                (true, None, _) if it.is_accepted => {
                    Some((Rule::Lost, end, "was accepted, and is not in the history"))
                }
                (true, None, Some(line)) => {
                    Some((Rule::Phantom, line, "was shown, and is not in the history"))
                }
                (false, Some(_), _) => Some((Rule::Phantom, end, "was not to be kept, and is")),
                (true, Some(_), _) | (_, None, _) => None,
            };
            let is_refused = it.refused == it.asks;
            let refused = it.shown.filter(|_| is_refused);
            let refused = refused.map(|line| (Rule::Phantom, line, "was refused, and was shown"));
            for (rule, line, what) in wrong.into_iter().chain(refused) {
                self.verdict.find(rule, line, format!("message {} {what}", it.number));
            }
        }
    }

    /// An ask that began after an answer stands behind what was answered; the asks of a connection stand in their order.
    fn judge_times(&mut self, channel: usize) {
        let Some((_, book)) = self.books.get(channel) else { return };
        let mut accepted: Option<usize> = None;
        let mut of_connection: BTreeMap<u64, usize> = BTreeMap::default();
        let mut wrong = Vec::new();
        for (line, moment) in &book.moments {
            match *moment {
                Moment::Accepted(at) => {
                    accepted = accepted.max(self.messages.get(at).and_then(|it| it.nth));
                }
                Moment::Invoked(at) => {
                    let message = self.messages.get(at);
                    let found = message.map(|it| early(it, accepted, &mut of_connection));
                    let found = found.into_iter().flatten().flatten();
                    wrong.extend(found.map(|(number, what)| (*line, number, what)));
                }
                Moment::Subscribing(sub) => {
                    let sub = self.subs.get_mut(&sub);
                    sub.into_iter().for_each(|it| it.low = accepted);
                }
                Moment::Reading(read) => {
                    let page = self.pages.get_mut(&read);
                    page.into_iter().for_each(|it| it.low = accepted);
                }
                Moment::Subscribed(_) => {}
            }
        }
        for (line, number, what) in wrong {
            self.verdict.find(Rule::Order, line, format!("message {number} stands before {what}"));
        }
    }

    /// What was asked for once a subscription stood is for it: the first of that is as far behind as it may begin.
    fn look_ahead(&mut self, channel: usize) {
        let Some((_, book)) = self.books.get(channel) else { return };
        let mut first: Option<usize> = None;
        for (_, moment) in book.moments.iter().rev() {
            match *moment {
                Moment::Invoked(at) => {
                    let nth = self.messages.get(at).and_then(|it| it.nth);
                    first = first.into_iter().chain(nth).min();
                }
                Moment::Subscribed(sub) => {
                    let sub = self.subs.get_mut(&sub);
                    sub.into_iter().for_each(|it| it.high = first);
                }
                Moment::Accepted(_) | Moment::Subscribing(_) | Moment::Reading(_) => {}
            }
        }
    }
}

/// What a message stands before, though it has to follow it.
fn early(
    message: &Message,
    accepted: Option<usize>,
    of_connection: &mut BTreeMap<u64, usize>,
) -> [Option<(u64, &'static str)>; 2] {
    let Some(nth) = message.nth else { return [None; 2] };
    let is_early = accepted.is_some_and(|accepted| nth <= accepted);
    // Of a message that was asked for again nobody knows which ask it is.
    let before = if message.asks == 1 { of_connection.insert(message.by, nth) } else { None };
    let overtakes = before.is_some_and(|before| nth <= before);
    [
        is_early.then_some((message.number, "one that was accepted before it")),
        overtakes.then_some((message.number, "an earlier one of its connection")),
    ]
}
