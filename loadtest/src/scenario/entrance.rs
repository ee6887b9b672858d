//! How each connection of a run is let in: the keys it needs, and what it says until it hears its channel.

use super::load::Load;
use super::{Plan, Users};
use crate::client::dialect::Dialect;
use crate::client::doorway::{Doorway, Handshake};
use crate::client::message::Finder;
use crate::client::mint::Mint;
use crate::client::opening::Wish;
use crate::client::socketio::{self, Credential};
use crate::failure::Failure;
use crate::server::Target;
use protocol::auth::insforge::sign_user;
use serde_json::json;
use std::rc::Rc;
use tungstenite::handshake::derive_accept_key;

/// What all channels of all runs match.
const PATTERN: &str = "bench:%";

/// What each connection asks for, and who lets it in.
pub(crate) fn wishes(
    plan: &Plan,
    at: &Target,
    channels: &[String],
    nonce: [u8; 16],
) -> Result<(Vec<Wish>, Doorway), Failure> {
    let heard = plan.load.heard_channels();
    let names = heard.map(|channel| channels.get(channel as usize).map_or("", String::as_str));
    let ways = match plan.load.dialect {
        Dialect::Cohesivity => cohesivity(plan, at, names, nonce)?,
        Dialect::Infrai => infrai(plan, at, names, nonce)?,
        Dialect::Insforge => insforge(plan, at, names, nonce)?,
        Dialect::Pusher | Dialect::SocketIo | Dialect::Raw | Dialect::Native(_) => {
            names.filter_map(|name| at.peer.handshake(&at.endpoint.host, name, nonce)).collect()
        }
    };
    let doorway = doorway(&plan.load, at, ways.first());
    let mut wishes: Vec<Wish> = ways.into_iter().map(Wish::Socket).collect();
    wishes.resize_with(plan.load.connections(), || Wish::Http);
    Ok((wishes, doorway))
}

/// Who lets connections in; `way` is any of theirs: all have the same nonce.
pub(crate) fn doorway(load: &Load, at: &Target, way: Option<&Handshake>) -> Doorway {
    let dialect = load.dialect;
    let accept = way.map_or(String::new(), |way| accept_of(&way.upgrade));
    let finder = Finder::new(dialect, load.payload_bytes).confirmed_by(at.peer.subscribed());
    Doorway { finder, dialect, accept }
}

fn cohesivity<'a>(
    plan: &Plan,
    at: &Target,
    names: impl Iterator<Item = &'a str>,
    nonce: [u8; 16],
) -> Result<Vec<Handshake>, Failure> {
    let mut mint = Mint::connect(at.to, &at.endpoint)?;
    let mut token = match plan.users {
        Users::One if plan.load.hearers() > 0 => mint.token("bench")?,
        Users::One | Users::Distinct => String::new(),
        Users::Anonymous => return Err(needs("--dialect insforge", "for --anonymous")),
    };
    let mut ways = Vec::with_capacity(plan.load.connections());
    for (nth, name) in names.enumerate() {
        if plan.users == Users::Distinct {
            token = mint.token(&user(plan, nth))?;
        }
        ways.push(Handshake::of(at.endpoint.upgrade(name, &token, nonce)));
    }
    Ok(ways)
}

fn infrai<'a>(
    plan: &Plan,
    at: &Target,
    names: impl Iterator<Item = &'a str>,
    nonce: [u8; 16],
) -> Result<Vec<Handshake>, Failure> {
    let Some(key) = &at.keys.project else {
        return Err(needs("--project-key", "to mint tokens of Infrai's clients"));
    };
    let mut mint = Mint::connect(at.to, &at.endpoint)?;
    let mut token = mint.infrai_token("bench", key)?;
    let mut ways = Vec::with_capacity(plan.load.connections());
    for (nth, name) in names.enumerate() {
        if plan.users == Users::Distinct {
            token = mint.infrai_token(&user(plan, nth), key)?;
        }
        ways.push(infrai_way(at, &token, (name, None), nonce));
    }
    Ok(ways)
}

/// The token with which clients of Infrai come back.
pub(crate) fn token_to_resume(plan: &Plan, at: &Target) -> Result<String, Failure> {
    match (plan.load.dialect, &at.keys.project) {
        (Dialect::Infrai, Some(key)) => {
            Mint::connect(at.to, &at.endpoint)?.infrai_token("bench", key)
        }
        (_, _) => Ok(String::new()),
    }
}

/// The way of a client of Infrai into a channel, from now on or behind an offset.
pub(crate) fn infrai_way(
    at: &Target,
    token: &str,
    (channel, after): (&str, Option<u64>),
    nonce: [u8; 16],
) -> Handshake {
    let path = format!("/v1/realtime/ws?token={token}");
    let mut upgrade = Vec::new();
    let target = protocol::client::Target { host: &at.endpoint.host, path: &path, bearer: None };
    protocol::client::write_upgrade(&mut upgrade, &target, nonce);
    let mut say = json!({ "type": "subscribe", "channel": channel });
    if let (Some(after), Some(say)) = (after, say.as_object_mut()) {
        say.insert("after".into(), after.into());
    }
    let greeted = socketio::frame(&say.to_string()).into();
    Handshake { greeted, ..Handshake::of(upgrade) }
}

fn insforge<'a>(
    plan: &Plan,
    at: &Target,
    names: impl Iterator<Item = &'a str>,
    nonce: [u8; 16],
) -> Result<Vec<Handshake>, Failure> {
    let Some(api_key) = &at.keys.api else {
        return Err(needs("--api-key", "to allow the channels"));
    };
    Mint::connect(at.to, &at.endpoint)?.allow(PATTERN, api_key)?;
    let upgrade: Rc<[u8]> = socketio::upgrade(&at.endpoint, nonce).into();
    let publisher: Rc<[u8]> = socketio::connect(Credential::ApiKey(api_key)).into();
    let mut subscriber: Rc<[u8]> = match plan.load.subscribers {
        0 => Rc::default(),
        _ => by_token(plan, at, 0)?,
    };
    let mut ways = Vec::with_capacity(plan.load.connections());
    for (nth, name) in names.enumerate() {
        let connect = if nth >= plan.load.subscribers as usize {
            &publisher
        } else {
            if plan.users == Users::Distinct {
                subscriber = by_token(plan, at, nth)?;
            }
            &subscriber
        };
        let (greeted, let_in) = (Rc::clone(connect), socketio::subscribe(name).into());
        ways.push(Handshake { greeted, let_in, ..Handshake::of(Rc::clone(&upgrade)) });
    }
    Ok(ways)
}

/// The packet that connects a subscriber.
fn by_token(plan: &Plan, at: &Target, nth: usize) -> Result<Rc<[u8]>, Failure> {
    let secret = || {
        let secret = at.keys.jwt_secret.as_deref();
        secret.ok_or_else(|| needs("--jwt-secret", "to let users in (or --anonymous)"))
    };
    // Without an end: a run's clock begins at zero and knows no dates.
    let token_of = |user: &str| -> Result<String, Failure> {
        let claims = json!({ "sub": user, "role": "authenticated" });
        Ok(sign_user(&claims.to_string(), secret()?))
    };
    let token = match plan.users {
        Users::One => token_of("bench")?,
        Users::Distinct => token_of(&user(plan, nth))?,
        Users::Anonymous => {
            let key = at.keys.anon.clone();
            key.ok_or_else(|| needs("--anon-key", "to let anybody in"))?
        }
    };
    Ok(socketio::connect(Credential::Token(&token)).into())
}

fn user(plan: &Plan, nth: usize) -> String {
    let own = u32::try_from(nth).unwrap_or(u32::MAX);
    format!("bench-{}", plan.load.part.global(own))
}

fn needs(option: &str, what: &str) -> Failure {
    Failure::Usage(format!("{option} is needed {what}"))
}

/// The accept key that an upgrade must be answered with.
fn accept_of(upgrade: &[u8]) -> String {
    let text = String::from_utf8_lossy(upgrade);
    let key = text.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    });
    derive_accept_key(key.unwrap_or_default().as_bytes())
}
