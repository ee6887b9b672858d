//! A server that takes its clients' tokens away: revoked, put out, and not let in again.

use std::sync::mpsc::Receiver;

use loadtest::history::Event;
use serde_json::json;

use super::http::Http;
use super::infrai::Token;
use super::node::pause;
use super::socket::{Room, Socket};
use super::tenant::Tenant;
use super::world::{Chance, Phase, World};

/// Tokens that it remembers.
const TOKENS_MAX: usize = 32;
/// How often somebody tries a revoked token.
const TRIES: usize = 3;

pub(crate) fn run(world: &World, tenant: &Tenant, issued: &Receiver<Token>, seed: u64) {
    let mut chance = Chance::new(seed);
    let mut known: Vec<Token> = Vec::new();
    while world.phase() == Phase::Work {
        pause(chance.between_ms(300, 900));
        known.extend(issued.try_iter());
        let over = known.len().saturating_sub(TOKENS_MAX);
        known.drain(..over);
        let Some(port) = world.port().filter(|_| !known.is_empty()) else { continue };
        let token = known.swap_remove(chance.below(known.len()));
        if take_away(port, tenant, &token).is_some() {
            world.note(Event::Revoked { token: token.number });
            for _ in 0..TRIES {
                attempt(world, port, &token);
            }
        }
    }
}

/// Revokes a token and puts its client out. `None`: nobody knows how far that came.
fn take_away(port: u16, tenant: &Tenant, token: &Token) -> Option<()> {
    let key = tenant.project_key();
    let post = |path: &str, body: String| {
        let answer = Http::once(port, path, Some(&key), Some(&body))?;
        (answer.status == 200).then_some(())
    };
    post("/v1/realtime/token/revoke", json!({"token_or_jti": token.text}).to_string())?;
    post("/v1/realtime/user/disconnect", json!({"client_id": token.client_id}).to_string())
}

fn attempt(world: &World, port: u16, token: &Token) {
    let session = world.number();
    world.note(Event::Entering { session, token: token.number });
    if Socket::open(port, &format!("/v1/realtime/ws?token={}", token.text), Room::Usual).is_some() {
        world.note(Event::Entered { session });
    }
}
