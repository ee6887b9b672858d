//! Clients of Infrai: several channels on a socket, each of which goes on behind the last offset.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;

use loadtest::history::{Begin, Event, Place, Shown};
use serde_json::{Value, json};

use super::http::Http;
use super::session::{Heard, Reads, Session, Speaks};
use super::socket::Room;
use super::tenant::{CHANNELS, Tenant, message};
use super::world::{Chance, World};

const CAPABILITIES: [&str; 4] = ["subscribe", "publish", "presence", "history"];
const WINDOW: usize = 4;

/// A token, and whom it is for.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) number: u64,
    pub(crate) text: String,
    pub(crate) client_id: String,
}

pub(crate) struct Client {
    tenant: &'static Tenant,
    user: String,
    channels: &'static [&'static str],
    reads: Reads,
    /// Who may revoke its tokens is told of them.
    tokens: Sender<Token>,
    token: Option<Token>,
    /// The last offset that it was shown of each channel.
    last: BTreeMap<String, u64>,
}

impl Client {
    pub(crate) fn new(tenant: &'static Tenant, user: usize, tokens: Sender<Token>) -> Self {
        let (channels, last) = (&CHANNELS[user..user + 3], BTreeMap::new());
        let (user, reads) = (tenant.user(user), Reads::AtOnce);
        Self { tenant, user, channels, reads, tokens, token: None, last }
    }

    /// One that is slow to read.
    pub(crate) fn slow(tenant: &'static Tenant, user: usize, tokens: Sender<Token>) -> Self {
        let (channels, last) = (&CHANNELS[..], BTreeMap::new());
        let (user, reads) = (tenant.user(user), Reads::Late);
        Self { tenant, user, channels, reads, tokens, token: None, last }
    }

    /// The token that it has, or another one.
    fn token(&mut self, world: &World, port: u16, chance: &mut Chance) -> Option<Token> {
        if let Some(token) = self.token.as_ref().filter(|_| !chance.one_in(3)) {
            return Some(token.clone());
        }
        let body = json!({"client_id": self.user, "capabilities": CAPABILITIES}).to_string();
        let key = self.tenant.project_key();
        let answer = Http::once(port, "/v1/realtime/token/issue", Some(&key), Some(&body))?;
        let (number, client_id) = (world.number(), self.user.clone());
        let text = answer.json()["data"]["token"].as_str()?.to_owned();
        let token = Token { number, text, client_id };
        // Nobody revokes in the end.
        let _ = self.tokens.send(token.clone());
        self.token = Some(token.clone());
        Some(token)
    }

    /// Asks for a channel, behind an offset or from now on.
    fn subscribe(&self, world: &World, session: &mut Session, channel: &str, after: Option<u64>) {
        let place = after.map(|offset| Place { epoch: 0, offset });
        session.subscribing(world, (self.tenant, channel), place, Some(&self.user));
        let after = after.map_or(String::new(), |it| format!(",\"after\":{it}"));
        session.say(format!("{{\"type\":\"subscribe\",\"channel\":\"{channel}\"{after}}}"));
    }

    fn on_subscribed(world: &World, session: &mut Session, channel: &str, frame: &Value) {
        let offset = frame["position"].as_u64().unwrap_or_default();
        let position = Some(Place { epoch: 0, offset });
        let begin = match (frame["recovered"].as_bool(), frame["recovering"].as_bool()) {
            (Some(true), Some(true)) => Begin::Recovering,
            (Some(true), _) => Begin::Resumed,
            (Some(false), _) => Begin::Gapped(position),
            (None, _) => Begin::Fresh(position),
        };
        let members = frame["members"].as_array().map(|all| {
            all.iter().filter_map(|it| Some(it["client_id"].as_str()?.to_owned())).collect()
        });
        session.subscribed(world, channel, begin, members);
    }

    fn on_message(
        &mut self,
        world: &World,
        session: &Session,
        (channel, frame): (&str, &Value),
        text: &str,
    ) {
        let Some(shown) = self.tenant.shown(text) else { panic!("{text}") };
        let offset = frame["offset"].as_u64();
        if let Some(offset) = offset {
            self.last.insert(channel.to_owned(), offset);
        }
        let id = frame["message_id"].as_str().map(str::to_owned);
        let place = offset.map(|offset| Place { epoch: 0, offset });
        session.delivered(world, channel, Shown { id, place, ..shown });
    }
}

impl Speaks for Client {
    fn open(&mut self, world: &World, port: u16, chance: &mut Chance) -> Option<Session> {
        let token = self.token(world, port, chance)?;
        let session = Session::new(world);
        let number = session.number;
        world.note(Event::Entering { session: number, token: token.number });
        let target = format!("/v1/realtime/ws?token={}", token.text);
        let room = if self.reads == Reads::Late { Room::Little } else { Room::Usual };
        let Some(mut session) = session.open(world, port, (&target, room)) else {
            // Its token may be revoked.
            self.token = None;
            return None;
        };
        world.note(Event::Entered { session: number });
        for channel in self.channels {
            let after = self.last.get(*channel).copied().filter(|_| !chance.one_in(5));
            self.subscribe(world, &mut session, channel, after);
        }
        Some(session)
    }

    fn hear(&mut self, world: &World, session: &mut Session, text: &str) -> Heard {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let channel = frame["channel"].as_str().unwrap_or_default();
        match frame["type"].as_str() {
            Some("connected") => {}
            Some("subscribed") => Self::on_subscribed(world, session, channel, &frame),
            Some("recovered") => {
                world.note(Event::Recovered { sub: session.sub(channel) });
            }
            Some("message") => self.on_message(world, session, (channel, &frame), text),
            Some("published") => {
                let id = frame["message_id"].as_str().map(str::to_owned);
                let op = frame["id"].as_u64().unwrap_or_default();
                session.asked.retain(|it| *it != op);
                world.note(Event::Accepted { op, id, place: None });
            }
            Some("presence") => {
                let came = frame["action"] == "join";
                let member = frame["member"]["client_id"].as_str().unwrap_or_default();
                session.moved(world, channel, (came, member));
            }
            Some("error") => {
                let Some(op) = frame["id"].as_u64() else { return Heard::Over };
                session.asked.retain(|it| *it != op);
                world.note(Event::Refused { op });
            }
            // It left, or was put out: it comes back.
            Some("unsubscribed") => {
                session.unsubscribed(world, channel);
                self.subscribe(world, session, channel, self.last.get(channel).copied());
            }
            Some(_) | None => return Heard::Over,
        }
        Heard::GoOn
    }

    fn publish(&mut self, world: &World, session: &mut Session, chance: &mut Chance) {
        let channel = *chance.of(self.channels);
        if chance.one_in(40)
            && let Some(sub) = session.subs.get_mut(channel).filter(|it| it.stands)
        {
            // It is not asked to end once more before that is answered: each answer has it begin anew.
            sub.stands = false;
            return session.say(format!("{{\"type\":\"unsubscribe\",\"channel\":\"{channel}\"}}"));
        }
        if session.asked.len() >= WINDOW || self.reads == Reads::Late {
            return;
        }
        let is_kept = !chance.one_in(4);
        let (op, payload) = session.invoke(world, (self.tenant, channel), is_kept, chance);
        let body = message(channel, &payload, is_kept);
        session.say(format!("{{\"type\":\"publish\",\"id\":{op},{}", &body[1..]));
    }

    fn reads(&self) -> Reads {
        self.reads
    }
}
