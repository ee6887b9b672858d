//! How the node starts, and how it ends without warning.

use std::sync::Arc;

use engine::broker::Rest;
use engine::control::{Kept, Metered, Plan, Quota, Tier};
use engine::ids::{ChannelKey, ConnId, ShardId, TenantId};
use engine::pressure::Pressure;
use engine::shard::input::Input;
use engine::shard::{Shard, ShardOptions};
use engine::tenants::TenantSpec;
use protocol::Window;
use storage::KeyedRecord;

use crate::clients::HttpClient;
use crate::infrai::InfraiClient;
use crate::insforge::InsforgeClient;
use crate::journal::{FIRST_EPOCH, Key};
use crate::keys::{application_key, management_key, project_key, signing_key, tenant_name};
use crate::lanes::Lanes;
use crate::naps::Nap;
use crate::net::{Net, Wire};
use crate::operator::{METERED, MINTS_MAX, QUOTA_MAX};
use crate::plain::PlainClient;
use crate::polled::PolledClient;
use crate::registered::insforge;
use crate::scene::Client;
use crate::sides::Sides;
use crate::socket::SocketClient;
use crate::world::World;

/// What connects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Http,
    Socket,
    Infrai,
    Insforge,
    Plain,
    Polled,
}

impl World {
    /// A client connects. Returns its connection.
    pub fn accept(&mut self, shard: usize, key: Key, kind: Kind) -> ConnId {
        let conn = self.nets[shard].next_conn();
        let publisher = self.next_publisher;
        self.next_publisher += 1;
        let mut said = Vec::new();
        let position = self.position(&key);
        let signing = self.choose_signing(shard);
        let retries = if kind == Kind::Http { self.take_unknown(&key) } else { Vec::new() };
        let mut scene = self.scene(position);
        scene.signing = signing;
        let client = match kind {
            Kind::Socket => {
                let socket = SocketClient::new(publisher, key, &mut said, &mut scene);
                Client::Socket(Box::new(socket))
            }
            Kind::Infrai => {
                let client = InfraiClient::new(publisher, key, &mut said, &mut scene);
                Client::Infrai(Box::new(client))
            }
            Kind::Insforge => {
                let client = InsforgeClient::new(publisher, key, &mut said, &mut scene);
                Client::Insforge(Box::new(client))
            }
            Kind::Plain => {
                let client = PlainClient::new(publisher, key, &mut said, &mut scene);
                Client::Plain(Box::new(client))
            }
            Kind::Polled => {
                let client = PolledClient::new(publisher, key, &mut said, &mut scene);
                Client::Polled(Box::new(client))
            }
            Kind::Http => {
                let mut http = HttpClient::new(publisher, key);
                http.to_retry = retries;
                Client::Http(Box::new(http))
            }
        };
        let mut wire = Wire::new(conn, client);
        wire.said.extend(said);
        if self.nets[shard].plug(wire) {
            self.seen.note("slot reused within a turn");
        }
        self.feed(shard, Input::Opened(conn));
        conn
    }

    /// Starts every shard on what its journal kept.
    pub fn start(&mut self) {
        let tenants = self.tenants();
        let count = usize::from(self.plan.shards);
        self.told_generations = vec![self.generation; count];
        self.told_pressures = vec![Pressure::Calm; count];
        self.naps = vec![Nap::default(); count];
        self.sides = (0..count).map(|_| Sides::default()).collect();
        self.requests = Lanes::new(count, self.plan.lane_max);
        self.deliveries = Lanes::new(count, self.plan.lane_max);
        self.nets = (0..count).map(|_| Net::default()).collect();
        let kept = Arc::new(self.kept());
        self.hooks.restart(&kept);
        self.shards.clear();
        for id in 0..self.plan.shards {
            let mut shard = Shard::new(ShardOptions {
                id: ShardId(id),
                shard_count: self.plan.shards,
                limits: self.plan.limits.clone(),
                tenants: Arc::clone(&tenants),
                seed: self.plan.seed + u64::from(id),
                now: self.now,
            });
            shard.begin_epoch(FIRST_EPOCH);
            kept.restore(&mut shard, self.now);
            for (key, position) in self.journals[usize::from(id)].positions() {
                let rest = Rest { position, last_at_ms: None };
                shard.restore(Arc::new(ChannelKey::new(key.0, &key.1)), rest);
            }
            self.shards.push(shard);
        }
    }

    /// What the catalog and the journals say.
    fn kept(&self) -> Kept {
        let mut kept = Kept::default();
        for ((table, key), value) in self.catalogs.iter().flat_map(|it| &it.durable) {
            kept.note(table, key, value).expect("an entry that is understood");
        }
        for it in self.journals.iter().flat_map(|it| it.durable.values().flatten()) {
            if let Some(idempotency) = it.idempotency() {
                kept.keyed.push(KeyedRecord {
                    channel: Arc::clone(it.channel()),
                    idempotency,
                    epoch: it.epoch(),
                    offset: it.offset().unwrap(),
                    id: it.id(),
                    at_ms: it.at_ms(),
                });
            }
        }
        kept
    }
}

/// A tenant with the signing keys of a generation. Those of the one before are still taken.
pub fn spec(tenant: u32, generation: u32) -> TenantSpec {
    let key = (TenantId(tenant), String::new());
    TenantSpec {
        id: key.0,
        name: tenant_name(&key),
        application_key: Some(application_key(&key)),
        management_key: Some(management_key(&key)),
        project_key: Some(project_key(&key)),
        insforge: Some(insforge(key.0)),
        signing_key: signing_key(&key, generation),
        signing_keys_before: generation
            .checked_sub(1)
            .map(|before| signing_key(&key, before))
            .into_iter()
            .collect(),
        ..TenantSpec::default()
    }
}

/// The tenant with a plan.
pub fn metered() -> TenantSpec {
    let quota = Quota { what: Metered::Messages, window: Window::Lifetime, max: QUOTA_MAX };
    let mints = Quota { what: Metered::Mints, window: Window::UtcMinute, max: MINTS_MAX };
    let tier = Tier { sockets_max: None, quotas: vec![quota, mints] };
    TenantSpec {
        id: METERED,
        name: "metered".to_owned(),
        signing_key: vec![7; 32],
        plan: Plan { tier: Some(tier), ..Plan::default() },
        ..TenantSpec::default()
    }
}
