//! A whole shard without sockets: bytes in by its one door, and a count of what comes out.

use std::sync::Arc;

use engine::control::{RegisteredPattern, RuleChange};
use engine::frame::{Frame, Piece};
use engine::ids::{ConnId, MessageId, Now, ShardId, TenantId};
use engine::limits::Limits;
use engine::shard::effects::{Effects, Outlet};
use engine::shard::input::{Input, JournalAnswer};
use engine::shard::{Shard, ShardOptions};
use engine::tenants::{TenantSpec, Tenants};
use protocol::Keep;
use protocol::auth::{RealtimeClaims, sign_realtime};
use protocol::client::{Target, write_post, write_publish_body, write_upgrade};
use protocol::dialect::insforge::Pattern;

use super::decode::payload;
use crate::Failure;

const KEY: &str = "coh_app_0123456789abcdefghij";
const SECRET: [u8; 32] = [7; 32];
const START_MS: u64 = 1_700_000_000_000;

/// A shard, its effects, and what it gave to connections.
pub(super) struct Alone {
    shard: Shard,
    effects: Effects,
    now: Now,
    connections: u32,
    /// What came out.
    pub(super) out: Count,
}

/// Frames that left.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Count {
    /// Frames that many share.
    pub(super) shared: u64,
    /// Frames of one connection.
    pub(super) own: u64,
    bytes: usize,
}

impl Outlet for Count {
    fn share(&mut self, frame: &Frame, conn: ConnId) {
        self.shared += 1;
        self.bytes = self.bytes.wrapping_add(frame.len() ^ conn.index());
    }

    fn gather(&mut self, conn: ConnId, pieces: &[Piece]) {
        self.own += 1;
        let bytes: usize = pieces.iter().map(Piece::len).sum();
        self.bytes = self.bytes.wrapping_add(bytes ^ conn.index());
    }
}

impl Alone {
    /// A shard that nobody is connected to.
    pub(super) fn new() -> Self {
        let spec = TenantSpec {
            id: TenantId(1),
            name: "bench".into(),
            application_key: Some(KEY.into()),
            signing_key: SECRET.into(),
            ..TenantSpec::default()
        };
        let now = Now { monotonic_ms: 0, wall_ms: START_MS };
        let shard = Shard::new(ShardOptions {
            id: ShardId(0),
            shard_count: 1,
            limits: Limits::default(),
            tenants: Arc::new(Tenants::new(&[spec], [9; 32])),
            seed: 1,
            now,
        });
        let (effects, out) = (Effects::default(), Count::default());
        Self { shard, effects, now, connections: 0, out }
    }

    /// A connection that said nothing yet.
    pub(super) fn connect(&mut self) -> ConnId {
        let conn = ConnId { slot: self.connections, generation: 0 };
        self.connections += 1;
        self.shard.handle(self.now, Input::Opened(conn), &mut self.effects);
        conn
    }

    /// A connection that subscribes to the channel `bench:0`.
    pub(super) fn subscribe(&mut self) {
        let claims = RealtimeClaims {
            tenant: "bench".into(),
            user_id: "bench".into(),
            user_name: None,
            issued_at_s: START_MS / 1000,
            expires_at_s: START_MS / 1000 + 300,
            token_id: "1".into(),
        };
        let path =
            format!("/edge/realtime?token={}&channel=bench:0", sign_realtime(&claims, &SECRET));
        let mut bytes = Vec::new();
        write_upgrade(&mut bytes, &Target { host: "a", path: &path, bearer: None }, [1; 16]);
        let conn = self.connect();
        self.feed(conn, &mut bytes);
        self.flush();
    }

    /// Has the tenant register a pattern of names.
    pub(super) fn register(&mut self) -> Result<(), Failure> {
        let pattern = Pattern::parse("bench:%").map_err(|why| format!("a pattern: {why:?}"))?;
        let pattern = RegisteredPattern {
            id: MessageId(1),
            pattern,
            description: None,
            webhook_urls: None,
            enabled: true,
            created_at_ms: START_MS,
            updated_at_ms: START_MS,
        };
        self.shard.restore_rule(TenantId(1), &RuleChange::Pattern(Arc::new(pattern)));
        Ok(())
    }

    /// Bytes from a connection.
    pub(super) fn feed(&mut self, conn: ConnId, bytes: &mut [u8]) {
        self.shard.handle(self.now, Input::Bytes(conn, bytes), &mut self.effects);
    }

    /// Has the journal make durable what it was given. Returns how much that was.
    pub(super) fn commit(&mut self) -> usize {
        let count = self.effects.appends.drain(..).count();
        if count > 0 {
            let answer = Input::Journal(JournalAnswer::Committed(count));
            self.shard.handle(self.now, answer, &mut self.effects);
        }
        self.effects.counted.clear();
        count
    }

    /// Ends the turn.
    pub(super) fn flush(&mut self) {
        self.shard.flush(0, &mut self.out);
        while self.shard.is_behind() {
            self.shard.flush(0, &mut self.out);
        }
    }
}

/// A publish of 128 bytes to the channel `bench:0`.
pub(super) fn request(keep: Keep) -> Vec<u8> {
    let (mut body, mut request) = (Vec::new(), Vec::new());
    write_publish_body(&mut body, "bench:0", "message", &payload(128), keep);
    let path = format!("/edge/realtime?key={KEY}");
    write_post(&mut request, &Target { host: "127.0.0.1:8080", path: &path, bearer: None }, &body);
    request
}
