//! One publication to many connections, through a whole shard without sockets.

use protocol::Keep;

use super::shard::{Alone, request};
use super::{Meter, What};
use crate::Failure;

/// Measures the room.
pub(super) fn measure(meter: &mut Meter<'_>) -> Result<(), Failure> {
    for subscribers in [1_u32, 1000, 10_000] {
        let mut alone = Alone::new();
        (0..subscribers).for_each(|_| alone.subscribe());
        let conn = alone.connect();
        let (bytes, mut scratch) = (request(Keep::Pass), request(Keep::Pass));
        let what = format!("a message of 128 B to {subscribers} subscribers, for each of them");
        let times = f64::from(subscribers);
        meter.measure(&What { room: "fan-out", what: &what, times }, || {
            scratch.copy_from_slice(&bytes);
            let before = alone.out.shared;
            alone.feed(conn, &mut scratch);
            alone.flush();
            match alone.out.shared - before {
                it if it == u64::from(subscribers) => Ok(()),
                it => Err(format!("{it} deliveries to {subscribers} subscribers").into()),
            }
        })?;
    }
    Ok(())
}
