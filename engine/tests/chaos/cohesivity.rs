//! Clients of Cohesivity: one channel each, and what was missed comes from the history.

use loadtest::history::{Begin, Place, Shown};
use serde_json::{Value, json};

use super::http::Http;
use super::publishers::read_page;
use super::session::{Heard, Session, Speaks};
use super::socket::Room;
use super::tenant::{CHANNELS, Tenant};
use super::world::{Chance, World};

/// Publishes under way at once.
const WINDOW: usize = 3;

pub(crate) struct Client {
    tenant: &'static Tenant,
    user: String,
    channel: &'static str,
    /// The last id that it was shown.
    last: Option<u64>,
}

impl Client {
    pub(crate) fn new(tenant: &'static Tenant, user: usize) -> Self {
        Self { tenant, user: tenant.user(user), channel: CHANNELS[user], last: None }
    }

    fn token(&self, port: u16) -> Option<String> {
        let path = format!("/edge/realtime/token?key={}", self.tenant.application_key());
        let body = json!({"user_id": self.user}).to_string();
        let answer = Http::once(port, &path, None, Some(&body))?.json();
        Some(answer["token"].as_str()?.to_owned())
    }
}

impl Speaks for Client {
    fn open(&mut self, world: &World, port: u16, chance: &mut Chance) -> Option<Session> {
        let token = self.token(port)?;
        let target = format!("/edge/realtime?channel={}&token={token}", self.channel);
        let mut session = Session::new(world);
        session.subscribing(world, (self.tenant, self.channel), None, Some(&self.user));
        let session = session.open(world, port, (&target, Room::Usual))?;
        if let Some(last) = self.last.filter(|_| !chance.one_in(4)) {
            read_page(world, port, (self.tenant, self.channel), last);
        }
        Some(session)
    }

    fn hear(&mut self, world: &World, session: &mut Session, text: &str) -> Heard {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let id = frame["id"].as_u64();
        let place = id.map(|offset| Place { epoch: 0, offset });
        let user = frame["user"]["id"].as_str().unwrap_or_default();
        match frame["action"].as_str() {
            Some("connected") => {}
            Some("subscribed") => {
                let all = frame["presence"].as_array().into_iter().flatten();
                let members = all.filter_map(|it| Some(it["id"].as_str()?.to_owned())).collect();
                session.subscribed(world, self.channel, Begin::Fresh(None), Some(members));
            }
            Some("published") => session.accepted(world, None, place),
            Some("join") => session.moved(world, self.channel, (true, user)),
            Some("leave") => session.moved(world, self.channel, (false, user)),
            Some("said") => {
                let Some(shown) = self.tenant.shown(text) else { panic!("{text}") };
                self.last = id.or(self.last);
                let shown = Shown { place, ..shown };
                session.delivered(world, self.channel, shown);
            }
            // A refusal names no publish: what is under way is unknown.
            Some(_) | None => return Heard::Over,
        }
        Heard::GoOn
    }

    fn publish(&mut self, world: &World, session: &mut Session, chance: &mut Chance) {
        let stands = session.subs.values().all(|it| it.stands);
        if !stands || session.asked.len() >= WINDOW {
            return;
        }
        let is_kept = !chance.one_in(4);
        let (_, payload) = session.invoke(world, (self.tenant, self.channel), is_kept, chance);
        let frame = json!({"action": "publish", "event": "said", "persist": is_kept}).to_string();
        let frame = format!("{},\"data\":{payload}}}", frame.trim_end_matches('}'));
        session.say(frame);
    }
}
