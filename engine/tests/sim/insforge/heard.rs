//! What a client of Socket.IO hears, and what that may be.

use std::collections::BTreeSet;

use super::{Asked, InsforgeClient, Standing, Tally, Who};
use crate::checker::{DATA_END, Fate, Shown, View, field, number_of};
use crate::journal::Key;
use crate::scene::Scene;

impl InsforgeClient {
    /// Hears bytes of the node; what it answers goes to `out`.
    pub fn hear(&mut self, bytes: &[u8], out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        self.socket.take(bytes, scene.seen);
        while let Some(text) = self.socket.next(out, scene.seen) {
            self.hear_packet(&text, out, scene);
        }
    }

    fn hear_packet(&mut self, text: &str, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        match (text.get(..2).unwrap_or(text), self.standing) {
            ("2", _) if !self.is_mute => self.say("3", out, scene),
            ("2", _) => {}
            ("0{", Standing::Early) => self.standing = Standing::Outside,
            ("40", Standing::Asking) => self.let_in(text, scene),
            ("44", Standing::Asking) => {
                assert_eq!(self.who, Who::Nobody, "not let in: {text}");
                scene.seen.note("InsForge client kept out");
                self.standing = Standing::Outside;
            }
            ("42", _) => self.hear_event(&text[2..], scene),
            ("43", _) => self.hear_answer(&text[2..], scene),
            _ => panic!("{:?} hears {text}", self.standing),
        }
    }

    fn let_in(&mut self, text: &str, scene: &mut Scene<'_>) {
        let sid = field(text, "sid").expect("a socket has an id");
        self.user = match &self.who {
            Who::User(name) => name.clone(),
            Who::Server | Who::Anonymous => sid.to_owned(),
            Who::Nobody => panic!("let in: {text}"),
        };
        self.standing = Standing::Inside;
        // What it heard of before it left is over, and so is what it asked for.
        self.left.clear();
        self.asked.clear();
        self.tally = Tally::default();
        self.first = scene.truth.issued.len();
        scene.seen.note_if(self.was_inside, "InsForge client came again");
        self.was_inside = true;
    }

    fn hear_answer(&mut self, text: &str, scene: &mut Scene<'_>) {
        let (id, text) = text.split_once('[').expect("an answer has an id");
        let id: u64 = id.parse().unwrap();
        let asked = self.asked.remove(&id).unwrap_or_else(|| panic!("answered twice: {text}"));
        let Asked { key, position, withdrawn, is_dropped: _ } = asked;
        assert_eq!(field(text, "channel"), Some(key.1.as_str()), "{text}");
        self.left.retain(|_, (_, until)| *until > id);
        if field(text, "ok") != Some("true") {
            let is_denied = text.contains("REALTIME_UNAUTHORIZED");
            assert!(is_denied || key.1 != "nowhere", "{text}");
            return scene.seen.note_if(is_denied, "InsForge subscription denied");
        }
        assert_ne!(key.1, "nowhere", "a channel of no pattern: {text}");
        let members = self.read_members(text, scene);
        let known = match withdrawn {
            Some(_) => self.left.get_mut(&key).map(|it| &mut it.0),
            None => self.views.get_mut(&key),
        };
        if let Some(view) = known {
            // It listened before: nothing is missing in between.
            view.sees(members, scene.plan.limits.presence_members_max);
            return scene.seen.note("subscribed again without a pause");
        }
        let mut view = View::new(key.clone(), self.user.clone(), position);
        view.subscribed(members, scene.plan.limits.presence_members_max, scene.step);
        view.stands_at(scene.position_of(&key));
        match withdrawn {
            Some(until) => _ = self.left.insert(key, (view, until)),
            None => _ = self.views.insert(key, view),
        }
    }

    fn read_members(&self, text: &str, scene: &mut Scene<'_>) -> BTreeSet<String> {
        let list = text.split_once("\"members\":[").expect("who is there").1;
        let names = list.split("\"presenceId\":\"").skip(1);
        let members: BTreeSet<_> =
            names.map(|it| it.split('"').next().unwrap().to_owned()).collect();
        let listed_max = scene.plan.limits.presence_members_max;
        assert!(members.len() <= listed_max, "listed: {}", members.len());
        let is_whole = members.len() < listed_max;
        assert!(!is_whole || members.contains(&self.user), "it lists the joiner: {text}");
        members
    }

    fn hear_event(&mut self, text: &str, scene: &mut Scene<'_>) {
        let rest = text.strip_prefix("[\"").expect("an event has a name");
        let (name, rest) = rest.split_once("\",").expect("an event has an argument");
        match name {
            "notification" => assert!(rest.contains("Server is shutting down"), "{text}"),
            "realtime:error" => self.hear_error(rest, scene),
            "presence:join" | "presence:leave" => self.hear_presence(name, rest, scene),
            _ => self.hear_message(name, rest, scene),
        }
    }

    fn hear_error(&mut self, text: &str, scene: &mut Scene<'_>) {
        let key = (self.key.0, field(text, "channel").unwrap().to_owned());
        match field(text, "code").unwrap() {
            "REALTIME_CHANNEL_NOT_FOUND" | "FORBIDDEN" => {
                // What it left a moment ago, and the node had not heard of, is over as well: an answer to come begins anew.
                self.views.remove(&key);
                self.left.remove(&key);
                self.tally.leave();
                scene.seen.note("InsForge client put out");
            }
            code => {
                self.tally.refused += 1;
                self.tally.hear();
                let Tally { sent, echoed, refused, .. } = self.tally;
                assert!(echoed + refused <= sent, "an answer to nothing: {text}");
                scene.seen.note("InsForge publish refused");
                let is_denied = code == "REALTIME_UNAUTHORIZED";
                scene.seen.note_if(is_denied, "InsForge publish denied");
            }
        }
    }

    /// What it sees of a channel that it listens to, or left a moment ago.
    fn view(&mut self, key: &Key) -> Option<&mut View> {
        match self.views.get_mut(key) {
            Some(view) => Some(view),
            None => self.left.get_mut(key).map(|it| &mut it.0),
        }
    }

    fn hear_presence(&mut self, name: &str, text: &str, scene: &mut Scene<'_>) {
        let key = (self.key.0, field(text, "channel").unwrap().to_owned());
        let user = field(text, "presenceId").unwrap();
        assert_ne!(user, self.user, "nobody hears of its own coming and going");
        let view = self.view(&key).unwrap_or_else(|| panic!("it does not listen: {text}"));
        if name == "presence:join" {
            view.joined(user);
        } else {
            view.left(user);
        }
        scene.seen.note("InsForge presence");
    }

    fn hear_message(&mut self, event: &str, text: &str, scene: &mut Scene<'_>) {
        let (front, meta) = text.split_once(",\"last\":0,\"meta\":").expect("a payload, spread");
        let data = format!("{front}{DATA_END}");
        let room = field(meta, "channel").and_then(|it| it.strip_prefix("realtime:"));
        let key = (self.key.0, room.expect("a room has its prefix").to_owned());
        let number = number_of(event);
        let offset = scene.truth.offset_of(&key, number);
        let view = self.view(&key).unwrap_or_else(|| panic!("it does not listen: {text}"));
        view.got(scene.truth, &Shown { event, data: &data, offset }, scene.seen);
        let sender = scene.truth.issued[number].publisher;
        if sender != self.publisher {
            let is_foreign = !scene.truth.insforge.contains(&sender);
            return scene.seen.note_if(is_foreign, "InsForge client hears another dialect");
        }
        self.tally.echoed += usize::from(number >= self.first);
        self.tally.hear();
        scene.seen.note("InsForge publish echoed");
        if scene.truth.issued[number].fate == Fate::Unknown {
            scene.truth.accept(number, offset);
        }
    }
}
