//! The side threads without other servers: they list messages in their own time and in any order, and now and then they cannot.

use std::collections::VecDeque;

use engine::ids::CallId;
use engine::side::{SideAnswer, SideAsk, UpstreamHead};
use protocol::Rejection;

use crate::random::Random;
use crate::seen::Seen;

/// What every list says.
pub const LIST: &str = "{\"listed\":true}";

/// What the side threads have of one shard.
#[derive(Debug, Default)]
pub struct Sides {
    waiting: Vec<CallId>,
    answers: VecDeque<(CallId, SideAnswer)>,
    /// Whether they take their time and refuse.
    pub is_late: bool,
}

impl Sides {
    /// Takes what a shard wants of them.
    pub fn ask(&mut self, ask: &SideAsk) {
        match ask {
            SideAsk::List(call, _) => self.waiting.push(*call),
            SideAsk::Cancel(call) => {
                if let Some(place) = self.waiting.iter().position(|it| it == call) {
                    self.waiting.swap_remove(place);
                    self.answers.push_back((*call, SideAnswer::Failed(Rejection::Internal)));
                }
            }
            SideAsk::More(_) => {}
            SideAsk::Kit(..) | SideAsk::Database(..) | SideAsk::Vendor(..) => {
                panic!("nobody asks for this: {ask:?}")
            }
        }
    }

    /// Works for a moment.
    pub fn work(&mut self, random: &mut Random, seen: &mut Seen) {
        if self.waiting.is_empty() || (self.is_late && !random.permille(60)) {
            return;
        }
        let place = random.below(self.waiting.len());
        seen.note_if(self.is_late && place > 0, "list answered out of order");
        let call = self.waiting.remove(place);
        let failing = if self.is_late { random.below(3) } else { 2 };
        if failing == 0 {
            seen.note("side threads refused");
            let why = Rejection::Overloaded { limit: "side_calls_max" };
            return self.answers.push_back((call, SideAnswer::Failed(why)));
        }
        let length = Some(LIST.len() as u64);
        let head = UpstreamHead { status: 200, length, lines: Vec::new() };
        self.answers.push_back((call, SideAnswer::Head(Box::new(head))));
        let (front, back) = LIST.as_bytes().split_at(4);
        self.answers.push_back((call, SideAnswer::Part(front.into())));
        if failing == 1 {
            seen.note("list broken off");
            let broken = SideAnswer::Failed(Rejection::StorageUnavailable);
            return self.answers.push_back((call, broken));
        }
        self.answers.push_back((call, SideAnswer::Part(back.into())));
        self.answers.push_back((call, SideAnswer::End));
    }

    /// The next answer.
    pub fn next_answer(&mut self) -> Option<(CallId, SideAnswer)> {
        self.answers.pop_front()
    }

    /// Whether there is anything to do.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.answers.is_empty()
    }
}
