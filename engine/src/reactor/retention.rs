//! What the journal keeps, where tenants say something of it too.

use std::sync::Arc;

use hashbrown::HashMap;
use storage::{Keep, Retention};

use crate::hasher::ShardHasher;
use crate::ids::{ChannelKey, TenantId};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What the node keeps; and of tenants that say so, no longer than they say.
pub(super) fn kept_for(
    retention: &Retention,
    days: &Arc<HashMap<TenantId, u32, ShardHasher>>,
) -> Retention {
    let (keep, days) = (Arc::clone(&retention.keep), Arc::clone(days));
    let keep = move |channel: &ChannelKey| {
        let keep = keep(channel);
        let Some(days) = days.get(&channel.tenant()) else { return keep };
        Keep { age_ms_max: keep.age_ms_max.min(u64::from(*days) * DAY_MS), ..keep }
    };
    Retention { keep: Arc::new(keep), ..*retention }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hasher::seeded;

    #[test]
    fn a_tenant_keeps_no_longer_than_it_says_and_no_longer_than_the_node() {
        let keep = Keep { age_ms_max: 10 * DAY_MS, messages_max: 7, ..Keep::ALL };
        let node = Retention { keep: Arc::new(move |_| keep), bytes_max: 8, idle_ms_max: 9 };
        let mut days = HashMap::with_hasher(seeded(7));
        days.extend([(TenantId(1), 3), (TenantId(2), 30)]);
        let both = kept_for(&node, &Arc::new(days));
        let of = |tenant| (both.keep)(&ChannelKey::new(TenantId(tenant), "c"));
        assert_eq!(of(1), Keep { age_ms_max: 3 * DAY_MS, ..keep });
        assert_eq!([of(2), of(3)], [keep; 2]);
        assert_eq!((both.bytes_max, both.idle_ms_max), (8, 9));
    }
}
