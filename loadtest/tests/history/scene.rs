//! Histories made by hand: one channel of one tenant.

use loadtest::history::{Begin, Channel, Event, Place, Shown};

/// A history in the making.
pub(crate) struct Scene(Vec<Event>);

/// A place in the first epoch.
pub(crate) fn place(offset: u64) -> Place {
    Place { epoch: 0, offset }
}

fn channel() -> Channel {
    Channel { tenant: "one".to_owned(), name: "room".to_owned() }
}

/// A message as everyone is shown it.
pub(crate) fn shown(message: u64, offset: Option<u64>) -> Shown {
    let (id, canary) = (None, "one".to_owned());
    Shown { message, digest: message * 10, canary, id, place: offset.map(place) }
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self(vec![Event::Started])
    }

    /// Three members, one of whom comes back, six kept messages and one that is not, a page and a revoked token.
    pub(crate) fn whole() -> Self {
        let mut it = Self::new();
        it.enter(1, 1);
        it.member(1, 1, "canary.one", None);
        it.stand_with(1, Begin::Fresh(Some(place(0))), &["canary.one"]);
        it.member(2, 2, "canary.two", None);
        it.stand_with(2, Begin::Fresh(None), &["canary.one", "canary.two"]);
        it.push(Event::Joined { sub: 1, member: "canary.two".to_owned() });
        for message in 1..=3 {
            it.invoke(message, message).accept(message, message);
            it.deliver(1, message, message).deliver(2, message, message);
        }
        it.push(Event::Ended { sub: 2 });
        it.push(Event::Left { sub: 1, member: "canary.two".to_owned() });
        it.invoke(4, 4).accept(4, 4).deliver(1, 4, 4);
        it.member(3, 3, "canary.three", Some(place(3)));
        it.stand_with(3, Begin::Resumed, &["canary.one", "canary.three"]);
        it.push(Event::Joined { sub: 1, member: "canary.three".to_owned() });
        it.deliver(3, 4, 4);
        it.enter(4, 500).push(Event::Revoked { token: 500 });
        it.page(1, 2, &[3, 4]);
        it.invoke(5, 5).accept(5, 5).invoke(6, 6).accept(6, 6);
        for message in 5..=6 {
            it.deliver(1, message, message).deliver(3, message, message);
        }
        it.pass(100);
        it.end(&[1, 2, 3, 4, 5, 6]).present(&["canary.one", "canary.three"])
    }

    pub(crate) fn events(self) -> Vec<Event> {
        self.0
    }

    pub(crate) fn push(&mut self, event: Event) -> &mut Self {
        self.0.push(event);
        self
    }

    /// A message is asked for, by a connection of its own.
    pub(crate) fn invoke(&mut self, op: u64, message: u64) -> &mut Self {
        self.invoke_by(1000 + op, op, message)
    }

    pub(crate) fn invoke_by(&mut self, by: u64, op: u64, message: u64) -> &mut Self {
        let (channel, digest, is_kept) = (channel(), message * 10, true);
        self.push(Event::Invoked { op, by, channel, message, digest, is_kept })
    }

    pub(crate) fn accept(&mut self, op: u64, offset: u64) -> &mut Self {
        self.push(Event::Accepted { op, id: None, place: Some(place(offset)) })
    }

    pub(crate) fn accept_as(&mut self, op: u64, id: &str, offset: u64) -> &mut Self {
        let (id, place) = (Some(id.to_owned()), Some(place(offset)));
        self.push(Event::Accepted { op, id, place })
    }

    pub(crate) fn refuse(&mut self, op: u64) -> &mut Self {
        self.push(Event::Refused { op })
    }

    pub(crate) fn unknown(&mut self, op: u64) -> &mut Self {
        self.push(Event::Unknown { op })
    }

    pub(crate) fn deliver(&mut self, sub: u64, message: u64, offset: u64) -> &mut Self {
        self.push(Event::Delivered { sub, shown: shown(message, Some(offset)) })
    }

    pub(crate) fn subscribing(&mut self, sub: u64, after: Option<Place>) -> &mut Self {
        let (session, channel, member) = (sub, channel(), None);
        self.push(Event::Subscribing { sub, session, channel, after, member })
    }

    pub(crate) fn subscribed(&mut self, sub: u64, begin: Begin) -> &mut Self {
        self.push(Event::Subscribed { sub, begin, members: None })
    }

    pub(crate) fn page(&mut self, read: u64, after: u64, rows: &[u64]) -> &mut Self {
        self.push(Event::Reading { read, channel: channel(), after: place(after) });
        let rows = rows.iter().map(|it| shown(*it, Some(*it))).collect();
        self.push(Event::Read { read, rows, is_last: true })
    }

    /// All is quiet, and these messages are kept.
    pub(crate) fn end(self, kept: &[u64]) -> Self {
        let kept: Vec<_> = kept.iter().map(|it| (*it, 0)).collect();
        self.end_in_epochs(&kept)
    }

    pub(crate) fn end_in_epochs(mut self, kept: &[(u64, u64)]) -> Self {
        self.push(Event::Quiet);
        for ((message, epoch), offset) in kept.iter().zip(1..) {
            let place = Some(Place { epoch: *epoch, offset });
            let shown = Shown { place, ..shown(*message, None) };
            self.push(Event::Kept { channel: channel(), shown });
        }
        self
    }

    fn present(mut self, members: &[&str]) -> Self {
        let members = members.iter().map(|it| (*it).to_owned()).collect();
        self.push(Event::Present { channel: channel(), members });
        self
    }

    fn enter(&mut self, session: u64, token: u64) -> &mut Self {
        self.push(Event::Entering { session, token }).push(Event::Entered { session })
    }

    fn member(&mut self, sub: u64, session: u64, member: &str, after: Option<Place>) {
        let (channel, member) = (channel(), Some(member.to_owned()));
        self.push(Event::Subscribing { sub, session, channel, after, member });
    }

    fn stand_with(&mut self, sub: u64, begin: Begin, members: &[&str]) {
        let members = Some(members.iter().map(|it| (*it).to_owned()).collect());
        self.push(Event::Subscribed { sub, begin, members });
    }

    /// A message that is not kept comes to whoever is there in the end.
    fn pass(&mut self, message: u64) {
        let (op, by, channel, digest) = (message, message, channel(), message * 10);
        self.push(Event::Invoked { op, by, channel, message, digest, is_kept: false });
        self.push(Event::Accepted { op, id: None, place: None });
        for sub in [1, 3] {
            self.push(Event::Delivered { sub, shown: shown(message, None) });
        }
    }
}
