//! One channel with everybody in it, beside quiet ones.

use std::time::Duration;

use super::listeners::{Caller, Listeners};
use super::node::pause;
use super::probe::{Kept, Probe, Window};
use super::trust::figures;
use super::world::{World, scaled, seconds, sockets_at_most, tenant};

/// Messages a second to everybody.
const PER_S: u32 = 5;
/// Resident memory at most.
const MOST_MIB: u64 = 256;

#[test]
fn a_channel_with_everybody_does_not_hold_up_quiet_ones() {
    let count = sockets_at_most(scaled(400, 9_000));
    let world = World::start(&tenant("demo", '1'), &[]);
    let (big, quiet) = (world.socket("demo", "big"), world.socket("demo", "quiet"));
    let mut everybody = Listeners::gather("listener", world.port(), count, &big);
    let mut caller = Caller::new(&world, "big", 0);
    let probe = Probe::begin(world.port(), &quiet, 100, Kept::No);
    for _ in 0..scaled(1, 3) {
        probe.enter(Window::Alone);
        pause(seconds(1, 5));
        probe.enter(Window::Beside);
        caller.call_for(seconds(2, 10), Duration::from_secs(1) / PER_S, |_| {
            everybody.hear(Duration::from_millis(2));
        });
        everybody.hear_until(caller.last);
    }
    let (seen, peak, last) = (probe.end(), world.peak_mib(), caller.last);
    figures(
        "big channel",
        &format!(
            "\"listeners\":{count},\"per_s\":{PER_S},\"messages\":{last},\"deliveries\":{},\
         {seen},\"peak_mib\":{peak}",
            everybody.deliveries()
        ),
    );
    assert!(peak <= MOST_MIB, "{peak} MiB");
    seen.check(Duration::from_millis(4));
    world.node.kill();
}
