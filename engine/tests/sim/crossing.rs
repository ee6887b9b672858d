//! Servers of one tenant that give its resource up and ask for it at the same time, one on each shard: whatever crosses, all shards
//! end with what the seat decided last.

use crate::faults::Plan;
use crate::start::Kind;
use crate::world::World;

/// How often each server asks.
const ROUNDS: usize = 8;

/// Runs a plan of nothing else.
pub fn run(plan: Plan) {
    let mut world = World::new(plan);
    world.fix_rules();
    let key = world.keys().remove(0);
    let shards = 0..world.shards.len();
    let servers: Vec<_> =
        shards.map(|it| (it, world.accept(it, key.clone(), Kind::Http))).collect();
    world.settle();
    for _ in 0..ROUNDS {
        for (shard, conn) in &servers {
            world.act(*shard, *conn, |client, out, scene| {
                let server = client.http_mut().expect("it is a server");
                match scene.random.permille(500) {
                    true => server.drop_resource(out, scene),
                    false => server.provision(out),
                }
            });
        }
        for _ in 0..world.random.below(60) {
            let shard = world.random.below(world.shards.len());
            world.turn(shard);
        }
    }
    world.settle();
    world.check_rules_agree();
}
