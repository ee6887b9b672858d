//! One shard driven by hand: its clock, its catalog and its room of webhooks do what a test says. For what depends on one moment
//! that few seeds hit.

mod asking;
mod bodies;
mod choosy;
mod leaving;
mod paces;
mod passing;
mod polls;
mod pressure;
mod removal;
mod webhooks;

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use engine::control::{
    CatalogAnswer, CatalogAsk, Metered, Operate, Operation, Plan, Quota, RegisteredPattern,
    RuleChange, Tier,
};
use engine::frame::{Frame, Piece};
use engine::ids::{ConnId, MessageId, Now, ShardId, TenantId};
use engine::limits::Limits;
use engine::shard::effects::{Effects, Outlet};
use engine::shard::input::{Input, JournalAnswer};
use engine::shard::{Shard, ShardOptions};
use engine::tenants::{TenantSpec, Tenants};
use protocol::auth::insforge::sign_user;
use protocol::client::{Target, write_upgrade};
use protocol::dialect::insforge::Pattern;
use protocol::ws::{Opcode, append_masked};
use protocol::{Rejection, Window};

use crate::keys::{anon_key, host, jwt_secret};
use crate::start::spec;

/// A tenant without a plan, and one whose calls are counted.
const OPEN: TenantId = TenantId(0);
const METERED: TenantId = TenantId(1);
/// What clients of InsForge may listen to.
const CHANNELS: [&str; 2] = ["a", "b"];
const NODE_KEY: [u8; 32] = [9; 32];
const ENGINE: &str = "/socket.io/?EIO=4&transport=websocket";

/// What connections are sent.
#[derive(Default)]
struct Sent {
    bytes: BTreeMap<u32, Vec<u8>>,
    /// Sends of the last turn, and how many of them were of one shared frame.
    sends: usize,
    shares: usize,
}

impl Outlet for Sent {
    fn share(&mut self, frame: &Frame, conn: ConnId) {
        self.shares += 1;
        self.gather(conn, &[frame.whole()]);
    }

    fn gather(&mut self, conn: ConnId, pieces: &[Piece]) {
        self.sends += 1;
        let bytes = self.bytes.entry(conn.slot).or_default();
        pieces.iter().for_each(|it| bytes.extend_from_slice(it.bytes()));
    }
}

/// See the module.
struct Alone {
    shard: Shard,
    effects: Effects,
    now: Now,
    sent: Sent,
    next_slot: u32,
    next_operation: u64,
    /// Whether the catalog keeps nothing for now.
    is_catalog_slow: bool,
    /// What it was asked meanwhile.
    commits: Vec<CatalogAsk>,
}

fn specs() -> [TenantSpec; 2] {
    let quota = Quota { what: Metered::Requests, window: Window::Lifetime, max: 1_000 };
    let tier = Some(Tier { sockets_max: None, quotas: vec![quota] });
    let plan = Plan { tier, ..Plan::default() };
    [spec(OPEN.0, 0), TenantSpec { plan, ..spec(METERED.0, 0) }]
}

impl Alone {
    fn new(limits: Limits) -> Self {
        Self::among(1, ShardId(0), limits)
    }

    /// One of so many shards.
    fn among(shard_count: u16, id: ShardId, limits: Limits) -> Self {
        let now = Now { monotonic_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let mut shard = Shard::new(ShardOptions {
            id,
            shard_count,
            limits,
            tenants: Arc::new(Tenants::new(&specs(), NODE_KEY)),
            seed: 1,
            now,
        });
        for (id, name) in (1..).map(MessageId).zip(CHANNELS) {
            let pattern = RuleChange::Pattern(Arc::new(RegisteredPattern {
                id,
                pattern: Pattern::parse(name).unwrap(),
                description: None,
                webhook_urls: None,
                enabled: true,
                created_at_ms: 1,
                updated_at_ms: 1,
            }));
            shard.restore_rule(OPEN, &pattern);
            shard.restore_rule(METERED, &pattern);
        }
        Self {
            shard,
            effects: Effects::default(),
            now,
            sent: Sent::default(),
            next_slot: 0,
            next_operation: 0,
            is_catalog_slow: false,
            commits: Vec::new(),
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.shard.handle(self.now, input, &mut self.effects);
    }

    /// Ends the turn.
    fn flush(&mut self) {
        (self.sent.sends, self.sent.shares) = (0, 0);
        self.shard.flush(0, &mut self.sent);
    }

    /// The shard does all that is due; what it asks of the disk is kept.
    fn settle(&mut self) {
        loop {
            self.flush();
            self.commits.append(&mut self.effects.catalog);
            let commits =
                if self.is_catalog_slow { Vec::new() } else { mem::take(&mut self.commits) };
            let appends = mem::take(&mut self.effects.appends).len();
            if commits.is_empty() && appends == 0 && !self.shard.is_resumable() {
                return;
            }
            for CatalogAsk { token, .. } in commits {
                self.handle(Input::Catalog(CatalogAnswer { token, result: Ok(()) }));
            }
            if appends > 0 {
                self.handle(Input::Journal(JournalAnswer::Committed(appends)));
            }
            self.handle(Input::Resume);
        }
    }

    fn connect(&mut self) -> ConnId {
        let conn = ConnId { slot: self.next_slot, generation: 0 };
        self.next_slot += 1;
        self.handle(Input::Opened(conn));
        conn
    }

    /// What a connection was sent since somebody looked.
    fn heard(&mut self, conn: ConnId) -> String {
        let bytes = self.sent.bytes.remove(&conn.slot).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What a connection is sent for what it says.
    fn say(&mut self, conn: ConnId, text: &str) -> String {
        self.handle(Input::Bytes(conn, &mut text.as_bytes().to_vec()));
        self.settle();
        self.heard(conn)
    }

    /// The same of a text on a WebSocket.
    fn tell(&mut self, conn: ConnId, text: &str) -> String {
        self.send(conn, Opcode::Text, text);
        self.settle();
        self.heard(conn)
    }

    fn send(&mut self, conn: ConnId, opcode: Opcode, text: &str) {
        let mut bytes = Vec::new();
        append_masked(&mut bytes, opcode, text.as_bytes(), [1, 2, 3, 4]);
        self.handle(Input::Bytes(conn, &mut bytes));
    }

    /// A WebSocket of a tenant's client that has not said who it is.
    fn open(&mut self, tenant: TenantId, path: &str) -> ConnId {
        let conn = self.connect();
        let mut bytes = Vec::new();
        let host = host(tenant);
        write_upgrade(&mut bytes, &Target { host: &host, path, bearer: None }, [1; 16]);
        let answer = self.say(conn, &String::from_utf8(bytes).unwrap());
        assert!(answer.contains("HTTP/1.1 101"), "{answer}");
        conn
    }

    /// The same of Socket.IO, let in as a user.
    fn enter(&mut self, tenant: TenantId, user: &str) -> ConnId {
        let conn = self.open(tenant, ENGINE);
        let token = sign_user(&format!(r#"{{"sub":"{user}"}}"#), &jwt_secret(tenant));
        let answer = self.tell(conn, &format!(r#"40{{"token":"{token}"}}"#));
        assert!(answer.contains("40{\"sid\""), "{answer}");
        conn
    }

    /// Time passes, a second at a time.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now.monotonic_ms += 1_000;
            self.now.wall_ms += 1_000;
            self.handle(Input::Tick);
            self.settle();
        }
    }

    /// Asks as the operator. Returns the number of the operation.
    fn ask(&mut self, tenant: TenantId, what: Operate) -> u64 {
        let number = self.next_operation;
        self.next_operation += 1;
        let operation = Operation { number, tenant, claim: None, what };
        self.handle(Input::Operation(Box::new(operation)));
        self.settle();
        number
    }

    /// What was answered to an operation, if anything was.
    fn answer(&mut self, number: u64) -> Option<Result<String, Rejection>> {
        let place = self.effects.operated.iter().position(|it| it.0 == number)?;
        let (_, result) = self.effects.operated.remove(place);
        Some(result.map(|it| String::from_utf8(it).unwrap()))
    }
}

/// What the client of a tenant says on the documents' WebSocket to be let in.
fn introduction(tenant: TenantId) -> String {
    format!(r#"{{"type":"auth","token":"{}"}}"#, anon_key(tenant))
}
