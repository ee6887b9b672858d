//! Who is there: what each home believes, what each subscriber believes, and what is so.

use std::collections::BTreeSet;

use engine::ids::{ChannelKey, ShardId};

use crate::checker::View;
use crate::journal::Key;
use crate::scene::Client;
use crate::world::World;

impl World {
    /// Nothing is under way: homes, subscribers and the truth agree.
    pub fn check_presence(&self) {
        for key in self.keys() {
            let channel = ChannelKey::new(key.0, &key.1);
            let home = self.shards[self.home_of(&key)].broker().known(&channel);
            let believed: BTreeSet<String> = home
                .map(|it| it.presence.members().map(|member| member.id.to_string()).collect())
                .unwrap_or_default();
            let members = self.live_sockets(&key);
            let shown = members.iter().filter(|it| it.is_shown);
            let there: BTreeSet<_> = shown.map(|it| it.view.user.clone()).collect();
            let shards: BTreeSet<_> = members.iter().map(|it| it.shard).collect();
            // Who polled and is gone is missed when a ping is not answered.
            let is_polled = |it: &&String| self.truth.polled.contains(*it);
            let silent = believed.difference(&there).filter(is_polled).count();
            let heard: BTreeSet<_> = believed
                .iter()
                .filter(|it| !is_polled(it) || there.contains(*it))
                .cloned()
                .collect();
            assert_eq!(heard, there, "presence of {key:?} has a ghost, or misses somebody");
            let interest: BTreeSet<usize> = (0..)
                .map_while(|place| home.and_then(|it| it.interested(place)))
                .map(ShardId::index)
                .collect();
            // A session lives where it began, whichever shard its client's connection came to.
            let polls = members.iter().any(|it| it.polls);
            if silent == 0 && !polls {
                assert_eq!(interest, shards, "interest in {key:?}");
            }
            self.check_folds(&key, &believed);
        }
    }

    fn check_folds(&self, key: &Key, believed: &BTreeSet<String>) {
        if self.plan.limits.presence_members_max < 1_000 {
            return;
        }
        for it in self.live_sockets(key).iter().filter(|it| it.is_shown) {
            assert_eq!(&it.view.members, believed, "snapshot + deltas = state");
        }
    }

    /// Who listens to a channel, and from which shard.
    fn live_sockets(&self, key: &Key) -> Vec<Listener<'_>> {
        let nets = self.nets.iter().enumerate();
        let wires = nets.flat_map(|(shard, net)| net.wires().map(move |wire| (shard, wire)));
        let mut all = Vec::new();
        for (shard, wire) in wires.filter(|(_, wire)| wire.is_open()) {
            let (is_shown, polls) = match &wire.client {
                Client::Socket(_) | Client::Insforge(_) => (true, false),
                Client::Infrai(client) => (client.is_member, false),
                Client::Polled(_) => (true, true),
                Client::Plain(_) | Client::Http(_) => (false, false),
            };
            let views = wire.client.live_views().into_iter();
            all.extend(views.map(|view| Listener { shard, view, is_shown, polls }));
        }
        all.retain(|it| it.view.key == *key);
        all
    }
}

/// One who listens.
struct Listener<'a> {
    shard: usize,
    view: &'a View,
    /// Whether the others see it.
    is_shown: bool,
    /// Whether its connection may be with another shard than its session.
    polls: bool,
}
