//! What shows only once the whole history is known: what was lost, and what stands in which order.

use super::Checker;
use super::books::Moment;
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
            let number = it.number;
            let is_refused = it.refused == it.asks;
            let mut find = |rule, line, what: &str| {
                self.verdict.find(rule, line, format!("message {number} {what}"));
            };
            match (it.is_kept, it.nth) {
                (true, None) if it.is_accepted => {
                    find(Rule::Lost, self.line, "was accepted, and is not in the history");
                }
                (true, None) => {
                    if let Some(line) = it.shown {
                        find(Rule::Phantom, line, "was shown, and is not in the history");
                    }
                }
                (false, Some(_)) => find(Rule::Phantom, self.line, "was not to be kept, and is"),
                (true, Some(_)) | (false, None) => {}
            }
            if let Some(line) = it.shown.filter(|_| is_refused) {
                find(Rule::Phantom, line, "was refused, and was shown");
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
                    let Some(message) = self.messages.get(at) else { continue };
                    let Some(nth) = message.nth else { continue };
                    if accepted.is_some_and(|accepted| nth <= accepted) {
                        wrong.push((*line, message.number, "one that was accepted before it"));
                    }
                    if message.asks == 1
                        && let Some(before) = of_connection.insert(message.by, nth)
                        && nth <= before
                    {
                        wrong.push((*line, message.number, "an earlier one of its connection"));
                    }
                }
                Moment::Subscribing(sub) => {
                    if let Some(sub) = self.subs.get_mut(&sub) {
                        sub.low = accepted;
                    }
                }
                Moment::Reading(read) => {
                    if let Some(page) = self.pages.get_mut(&read) {
                        page.low = accepted;
                    }
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
                    if let Some(sub) = self.subs.get_mut(&sub) {
                        sub.high = first;
                    }
                }
                Moment::Accepted(_) | Moment::Subscribing(_) | Moment::Reading(_) => {}
            }
        }
    }
}
