//! Two shards beside one, on a load of many channels.

use crate::Failure;
use crate::ratio::{Bench, Server, Side, median, number, quiet};
use crate::table;

const EPHEMERAL: &[&str] = &["--ephemeral"];
/// At a fixed rate: in a closed loop the figure would be that of how many messages a send carries: the busier a shard, the more.
const LOAD: &str =
    "fanout --subscribers 1000 --channels 100 --publishers 100 --rate 9000 --payload 128";

/// What the rounds came to.
pub(super) struct Shards {
    /// Deliveries for a second of CPU of one shard.
    pub(super) one: f64,
    /// Of two.
    pub(super) two: f64,
    /// How much more two shards do, by round: median, lowest, highest.
    pub(super) ratio: [f64; 3],
}

/// Deliveries for a second of CPU, with one shard and with two. On two cores the generator shares one of them with a shard, so
/// that their common rate says nothing; what a shard does with a second of CPU does, and two of them have two such seconds.
pub(super) fn measure(bench: &Bench) -> Result<Shards, Failure> {
    table::note("two shards beside one");
    let load: Vec<String> =
        format!("{LOAD} --duration {}", bench.seconds).split(' ').map(str::to_owned).collect();
    let of = |server| {
        let report = quiet(bench, || Side::start(bench, server)?.drive(bench, &load))?;
        number(&report, "/window/deliveries_per_server_second")
    };
    let (mut ones, mut twos, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let one = of(Server::Stentor(EPHEMERAL))?;
        let two = of(Server::Shards("2", EPHEMERAL))?;
        table::note(&format!("  {one:.0} and {two:.0} for a second of CPU"));
        ones.push(one);
        twos.push(two);
        ratios.push(2.0 * two / one);
    }
    ratios.sort_by(f64::total_cmp);
    let end = |it: Option<&f64>| it.copied().unwrap_or_default();
    let ratio = [median(&ratios), end(ratios.first()), end(ratios.last())];
    Ok(Shards { one: median(&ones), two: median(&twos), ratio })
}
