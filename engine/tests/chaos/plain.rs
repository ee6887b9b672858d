//! Clients of InsForge at `/realtime`: no offsets, no members, ids of messages alone.

use loadtest::history::{Begin, Shown};
use serde_json::{Value, json};

use super::session::{Heard, Session, Speaks};
use super::socket::Room;
use super::tenant::{CHANNELS, Tenant};
use super::world::{Chance, World};

pub(crate) struct Client {
    tenant: &'static Tenant,
    channels: &'static [&'static str],
}

impl Client {
    pub(crate) fn new(tenant: &'static Tenant) -> Self {
        Self { tenant, channels: &CHANNELS[..3] }
    }
}

impl Speaks for Client {
    fn open(&mut self, world: &World, port: u16, chance: &mut Chance) -> Option<Session> {
        let mut session = Session::new(world).open(world, port, ("/realtime", Room::Usual))?;
        let keys = [self.tenant.api_key(), self.tenant.anon_key()];
        let token = chance.of(&keys);
        session.say(json!({"type": "auth", "token": token}).to_string());
        Some(session)
    }

    fn hear(&mut self, world: &World, session: &mut Session, text: &str) -> Heard {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let channel = frame["channel"].as_str().unwrap_or_default();
        let id = frame["messageId"].as_str().map(str::to_owned);
        match frame["type"].as_str() {
            Some("auth_success") => {
                for channel in self.channels {
                    session.subscribing(world, (self.tenant, channel), None, None);
                    session.say(json!({"type": "subscribe", "channel": channel}).to_string());
                }
            }
            Some("subscribed") => session.subscribed(world, channel, Begin::Fresh(None), None),
            Some("published") => session.accepted(world, id, None),
            Some("message") => {
                let Some(shown) = self.tenant.shown(text) else { panic!("{text}") };
                session.delivered(world, channel, Shown { id, ..shown });
            }
            // A refusal does not say of what.
            Some(_) | None => return Heard::Over,
        }
        Heard::GoOn
    }

    fn publish(&mut self, world: &World, session: &mut Session, chance: &mut Chance) {
        let stands = session.subs.len() == self.channels.len();
        if !stands || !session.subs.values().all(|it| it.stands) || !session.asked.is_empty() {
            return;
        }
        let channel = *chance.of(self.channels);
        let (_, payload) = session.invoke(world, (self.tenant, channel), true, chance);
        let frame = json!({"type": "publish", "channel": channel, "event": "said"}).to_string();
        session.say(format!("{},\"payload\":{payload}}}", frame.trim_end_matches('}')));
    }
}
