//! Who is there: what each home believes, what each subscriber believes, and what is so.

use std::collections::BTreeSet;

use engine::ids::ChannelKey;

use crate::clients::Client;
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
            let mut there = BTreeSet::new();
            let mut shards = BTreeSet::new();
            for (shard, net) in self.nets.iter().enumerate() {
                for wire in net.wires().filter(|wire| wire.is_open()) {
                    let Client::Socket(socket) = &wire.client else { continue };
                    if socket.view.key == key && socket.is_live() {
                        there.insert(socket.view.user.clone());
                        shards.insert(shard);
                    }
                }
            }
            assert_eq!(believed, there, "presence of {key:?} has a ghost, or misses somebody");
            let interest: BTreeSet<usize> = (0..)
                .map_while(|place| home.and_then(|it| it.interested(place)))
                .map(|it| it.index())
                .collect();
            assert_eq!(interest, shards, "interest in {key:?}");
            self.check_folds(&key, &believed);
        }
    }

    fn check_folds(&self, key: &crate::journal::Key, believed: &BTreeSet<String>) {
        if self.plan.limits.presence_members_max < 1_000 {
            return;
        }
        for wire in self.nets.iter().flat_map(|net| net.wires()).filter(|wire| wire.is_open()) {
            let Client::Socket(socket) = &wire.client else { continue };
            if socket.view.key == *key && socket.is_live() {
                assert_eq!(&socket.view.members, believed, "snapshot + deltas = state");
            }
        }
    }
}
