//! How the node starts, and how it ends without warning.

use std::sync::Arc;

use engine::ids::{ChannelKey, ShardId, TenantId};
use engine::shard::{Shard, ShardOptions};
use engine::tenants::{TenantSpec, Tenants};

use crate::clients::{application_key, management_key, signing_key, tenant_name};
use crate::journal::FIRST_EPOCH;
use crate::lanes::Lanes;
use crate::net::Net;
use crate::world::{TENANTS, World};

impl World {
    /// Starts every shard on what its journal kept.
    pub fn start(&mut self) {
        let specs: Vec<_> = (0..TENANTS).map(spec).collect();
        let tenants = Arc::new(Tenants::new(&specs, [5; 32]));
        let count = usize::from(self.plan.shards);
        self.requests = Lanes::new(count, self.plan.lane_max);
        self.deliveries = Lanes::new(count, self.plan.lane_max);
        self.nets = (0..count).map(|_| Net::default()).collect();
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
            for (key, position) in self.journals[usize::from(id)].positions() {
                shard.restore(Arc::new(ChannelKey::new(key.0, &key.1)), position);
            }
            self.shards.push(shard);
        }
    }

    /// The node loses its power, and starts again.
    pub fn crash(&mut self) {
        for shard in 0..self.journals.len() {
            let survived = self.journals[shard].crash(&mut self.random, &mut self.seen);
            self.note_durable(&survived);
            self.catalogs[shard].crash(&mut self.random);
        }
        self.is_draining = false;
        self.start();
    }
}

fn spec(tenant: u32) -> TenantSpec {
    let key = (TenantId(tenant), String::new());
    TenantSpec {
        id: key.0,
        name: tenant_name(&key),
        application_key: Some(application_key(&key)),
        management_key: Some(management_key(&key)),
        signing_key: signing_key(&key),
        ..TenantSpec::default()
    }
}
