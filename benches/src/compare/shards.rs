//! Two shards beside one, on a load of many channels.

use crate::Failure;
use crate::ratio::{Bench, Server, Side, median, number, quiet};
use crate::table;

const EPHEMERAL: &[&str] = &["--ephemeral"];
/// At a fixed rate: in a closed loop the figure would be that of how many messages a send carries: the busier a shard, the more.
const LOAD: &str = "fanout --subscribers 1000 --channels 100 --publishers 100 --payload 128";
/// Messages a second of two shards.
pub(super) const RATE: u32 = 9_000;

/// What the rounds came to.
pub(super) struct Shards {
    /// Deliveries for a second of CPU of two shards, with [`RATE`] messages a second.
    pub(super) two: f64,
    /// Beside one shard that has all of them: the same work in all.
    pub(super) same: Beside,
    /// Beside one shard that has half of them: the same work for each.
    pub(super) each: Beside,
}

/// One shard with so many messages a second.
pub(super) struct Beside {
    /// Messages a second.
    pub(super) rate: u32,
    /// Deliveries for a second of its CPU.
    pub(super) one: f64,
    /// How much more two shards do, by round: median, lowest, highest.
    pub(super) ratio: [f64; 3],
}

/// Deliveries for a second of CPU, with one shard and with two. On two cores the generator shares one of them with a shard, so
/// that their common rate says nothing; what a shard does with a second of CPU does, and two of them have two such seconds.
///
/// The less a shard has to do, the more of its CPU goes into falling asleep and being woken. One that has all the work of two is
/// twice as busy as either; one that has half of it is as busy as they are, which is what a further shard is taken for.
pub(super) fn measure(bench: &Bench) -> Result<Shards, Failure> {
    table::note("two shards beside one");
    let of = |server, rate| {
        let load = format!("{LOAD} --rate {rate} --duration {}", bench.seconds);
        let load: Vec<String> = load.split(' ').map(str::to_owned).collect();
        let report = quiet(bench, || Side::start(bench, server)?.drive(bench, &load))?;
        number(&report, "/window/deliveries_per_server_second")
    };
    let (mut same, mut each, mut twos) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        same.push(of(Server::Stentor(EPHEMERAL), RATE)?);
        twos.push(of(Server::Shards("2", EPHEMERAL), RATE)?);
        each.push(of(Server::Stentor(EPHEMERAL), RATE / 2)?);
    }
    let beside = |rate, ones: &[f64]| {
        let mut ratios: Vec<f64> =
            twos.iter().zip(ones).map(|(two, one)| 2.0 * two / one).collect();
        ratios.sort_by(f64::total_cmp);
        let end = |it: Option<&f64>| it.copied().unwrap_or_default();
        let ratio = [median(&ratios), end(ratios.first()), end(ratios.last())];
        table::note(&format!("  {:.2} of one with {rate} messages a second", ratio[0]));
        Beside { rate, one: median(ones), ratio }
    };
    let (same, each) = (beside(RATE, &same), beside(RATE / 2, &each));
    Ok(Shards { two: median(&twos), same, each })
}
