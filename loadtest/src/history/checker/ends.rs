//! Whether each subscription and each page had everything from where it began, once, in order, to where it ended.

use super::Checker;
use super::books::{Book, Message, Moment, Sub};
use crate::history::event::Begin;
use crate::history::finding::{Rule, Verdict};

impl Checker {
    pub(super) fn judge_subscriptions(&mut self) {
        for (number, sub) in &self.subs {
            let Some((_, book)) = self.books.get(sub.channel) else { continue };
            let mut judge = Judge {
                name: format!("subscription {number}"),
                book,
                messages: &self.messages,
                verdict: &mut self.verdict,
            };
            judge.subscription(sub, self.line);
        }
    }

    pub(super) fn judge_pages(&mut self) {
        for (number, page) in &self.pages {
            let Some((_, book)) = self.books.get(page.channel) else { continue };
            let Some((line, rows, is_last)) = &page.came else { continue };
            let mut judge = Judge {
                name: format!("page {number}"),
                book,
                messages: &self.messages,
                verdict: &mut self.verdict,
            };
            let rows = rows.iter().map(|at| (*line, *at));
            let next = judge.run(book.up_to(page.after), rows);
            let is_short = page.low.is_some_and(|low| low >= next);
            if *is_last && is_short {
                judge.find(
                    Rule::Lost,
                    *line,
                    "ends before what was accepted before it was asked for",
                );
            }
        }
    }
}

/// Looks at one of them.
struct Judge<'a> {
    name: String,
    book: &'a Book,
    messages: &'a [Message],
    verdict: &'a mut Verdict,
}

impl Judge<'_> {
    fn find(&mut self, rule: Rule, line: u64, what: &str) {
        self.verdict.find(rule, line, format!("{} {what}", self.name));
    }

    fn subscription(&mut self, sub: &Sub, end: u64) {
        let Some((line, begin)) = sub.begun else { return };
        let first = sub.got.iter().find_map(|(_, at)| self.nth(*at));
        let (start, is_new) = match begin {
            Begin::Fresh(Some(place)) | Begin::Gapped(Some(place)) => {
                (Some(self.book.up_to(place)), true)
            }
            Begin::Resumed | Begin::Recovering => {
                (Some(self.book.up_to(sub.after.unwrap_or_default())), false)
            }
            Begin::Fresh(None) | Begin::Gapped(None) => (first, true),
        };
        let Some(start) = start else {
            if sub.is_to_the_end && sub.high.is_some() {
                self.find(Rule::Lost, end, "listened to the end, and was shown nothing");
            }
            return self.passing(sub, end);
        };
        if is_new && sub.low.is_some_and(|low| start <= low) {
            self.find(Rule::Order, line, "begins with what was accepted before it was asked for");
        }
        if sub.high.is_some_and(|high| start > high) {
            self.find(Rule::Gap, line, "begins behind what was asked for once it stood");
        }
        let next = self.run(start, sub.got.iter().copied());
        if sub.is_to_the_end && next < self.book.kept.len() {
            let missing = self.book.kept.len() - next;
            let what = format!("listened to the end, and was not shown the last {missing}");
            self.find(Rule::Lost, end, &what);
        }
        self.passing(sub, end);
    }

    fn nth(&self, at: usize) -> Option<usize> {
        self.messages.get(at)?.nth
    }

    /// Messages one behind the other from a start; gives what comes next. What is not in the history was found already.
    fn run(&mut self, start: usize, got: impl Iterator<Item = (u64, usize)>) -> usize {
        let mut next = start;
        for (line, at) in got {
            let Some(nth) = self.nth(at) else { continue };
            let number = self.messages.get(at).map_or(0, |it| it.number);
            if nth > next {
                let what = format!("misses {} messages before {number}", nth - next);
                self.find(Rule::Gap, line, &what);
            } else if nth < next {
                self.find(Rule::Order, line, &format!("has {number} behind what follows it"));
            }
            next = next.max(nth + 1);
        }
        next
    }

    /// What is not kept, and was accepted while it listened to the end.
    fn passing(&mut self, sub: &Sub, end: u64) {
        let Some(live) = sub.live.filter(|_| sub.is_to_the_end) else { return };
        let from = self.book.moments.partition_point(|(line, _)| *line <= live);
        let moments = self.book.moments.iter().skip(from);
        let accepted = moments.filter_map(|(_, moment)| match moment {
            Moment::Accepted(at) => Some((*at, self.messages.get(*at)?)),
            Moment::Invoked(_)
            | Moment::Subscribing(_)
            | Moment::Subscribed(_)
            | Moment::Reading(_) => None,
        });
        let is_due =
            |at: usize, it: &Message| !it.is_kept && it.line > live && !sub.seen.contains(&at);
        let missing: Vec<u64> =
            accepted.filter(|(at, it)| is_due(*at, it)).map(|(_, it)| it.number).collect();
        for number in missing {
            let what = format!("was never shown {number}, which was accepted while it listened");
            self.find(Rule::Lost, end, &what);
        }
    }
}
