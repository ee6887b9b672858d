//! How each connection of a run is let in: the keys it needs, and what it says until it hears its channel.

use super::{Plan, Users};
use crate::client::dialect::Dialect;
use crate::client::mint::Mint;
use crate::client::opening::Wish;
use crate::client::socketio::{self, Credential, Handshake};
use crate::failure::Failure;
use crate::server::Target;
use protocol::auth::insforge::sign_user;
use serde_json::json;
use std::rc::Rc;
use tungstenite::handshake::derive_accept_key;

/// What all channels of all runs match.
const PATTERN: &str = "bench:%";

/// What each connection asks for, and the accept key that answers all upgrades.
pub(super) fn wishes(
    plan: &Plan,
    at: &Target,
    channels: &[String],
    nonce: [u8; 16],
) -> Result<(Vec<Wish>, String), Failure> {
    let heard = plan.load.heard_channels();
    let names = heard.map(|channel| channels.get(channel as usize).map_or("", String::as_str));
    let (mut wishes, accept) = match plan.load.dialect {
        Dialect::Cohesivity => cohesivity(plan, at, names, nonce)?,
        Dialect::Insforge => insforge(plan, at, names, nonce)?,
    };
    wishes.resize_with(plan.load.connections(), || Wish::Http);
    Ok((wishes, accept))
}

fn cohesivity<'a>(
    plan: &Plan,
    at: &Target,
    names: impl Iterator<Item = &'a str>,
    nonce: [u8; 16],
) -> Result<(Vec<Wish>, String), Failure> {
    let mut mint = Mint::connect(at.to, &at.endpoint)?;
    let mut token = match plan.users {
        Users::One if plan.load.hearers() > 0 => mint.token("bench")?,
        Users::One | Users::Distinct => String::new(),
        Users::Anonymous => return Err(needs("--dialect insforge", "for --anonymous")),
    };
    let mut wishes = Vec::with_capacity(plan.load.connections());
    let mut accept = String::new();
    for (nth, name) in names.enumerate() {
        if plan.users == Users::Distinct {
            token = mint.token(&user(nth))?;
        }
        let upgrade = at.endpoint.upgrade(name, &token, nonce);
        if accept.is_empty() {
            accept = accept_of(&upgrade);
        }
        wishes.push(Wish::WebSocket(upgrade));
    }
    Ok((wishes, accept))
}

fn insforge<'a>(
    plan: &Plan,
    at: &Target,
    names: impl Iterator<Item = &'a str>,
    nonce: [u8; 16],
) -> Result<(Vec<Wish>, String), Failure> {
    let Some(api_key) = &at.keys.api else {
        return Err(needs("--api-key", "to allow the channels"));
    };
    Mint::connect(at.to, &at.endpoint)?.allow(PATTERN, api_key)?;
    let upgrade: Rc<[u8]> = socketio::upgrade(&at.endpoint, nonce).into();
    let publisher: Rc<[u8]> = socketio::connect(Credential::ApiKey(api_key)).into();
    let mut subscriber: Rc<[u8]> = match plan.load.subscribers {
        0 => Rc::default(),
        _ => by_token(plan.users, at, 0)?,
    };
    let mut wishes = Vec::with_capacity(plan.load.connections());
    for (nth, name) in names.enumerate() {
        let connect = if nth >= plan.load.subscribers as usize {
            &publisher
        } else {
            if plan.users == Users::Distinct {
                subscriber = by_token(plan.users, at, nth)?;
            }
            &subscriber
        };
        let (upgrade, connect) = (Rc::clone(&upgrade), Rc::clone(connect));
        let subscribe = socketio::subscribe(name).into();
        wishes.push(Wish::SocketIo(Handshake { upgrade, connect, subscribe }));
    }
    Ok((wishes, accept_of(&upgrade)))
}

/// The packet that connects a subscriber.
fn by_token(users: Users, at: &Target, nth: usize) -> Result<Rc<[u8]>, Failure> {
    let secret = || {
        let secret = at.keys.jwt_secret.as_deref();
        secret.ok_or_else(|| needs("--jwt-secret", "to let users in (or --anonymous)"))
    };
    // Without an end: a run's clock begins at zero and knows no dates.
    let token_of = |user: &str| -> Result<String, Failure> {
        let claims = json!({ "sub": user, "role": "authenticated" });
        Ok(sign_user(&claims.to_string(), secret()?))
    };
    let token = match users {
        Users::One => token_of("bench")?,
        Users::Distinct => token_of(&user(nth))?,
        Users::Anonymous => {
            let key = at.keys.anon.clone();
            key.ok_or_else(|| needs("--anon-key", "to let anybody in"))?
        }
    };
    Ok(socketio::connect(Credential::Token(&token)).into())
}

fn user(nth: usize) -> String {
    format!("bench-{nth}")
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
