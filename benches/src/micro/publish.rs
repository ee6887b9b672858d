//! From the bytes of an HTTP publish to the bytes of its answer, through a whole shard without sockets.

use protocol::Keep;

use super::shard::{Alone, request};
use super::{Meter, What};
use crate::Failure;

/// Who is there before.
enum Prepare {
    Nothing,
    Subscriber,
    /// A subscriber, and a pattern: who hears a message is counted.
    Counted,
}

/// Measures the room.
pub(super) fn measure(meter: &mut Meter<'_>) -> Result<(), Failure> {
    for (keep, what, prepare) in [
        (Keep::Pass, "HTTP publish of 128 B, not kept", Prepare::Nothing),
        (
            Keep::Persist,
            "HTTP publish of 128 B, kept by a journal that takes no time",
            Prepare::Nothing,
        ),
        (Keep::Persist, "the same, to one subscriber", Prepare::Subscriber),
        (Keep::Persist, "the same, counted for a tenant with a pattern", Prepare::Counted),
    ] {
        let mut alone = Alone::new();
        match prepare {
            Prepare::Nothing => {}
            Prepare::Subscriber => alone.subscribe(),
            Prepare::Counted => {
                alone.subscribe();
                alone.register()?;
            }
        }
        let conn = alone.connect();
        let (bytes, mut scratch) = (request(keep), request(keep));
        meter.measure(&What::once("publish", what), || {
            scratch.copy_from_slice(&bytes);
            let before = alone.out.own;
            alone.feed(conn, &mut scratch);
            let kept = alone.commit();
            alone.flush();
            match alone.out.own - before {
                1 if kept == usize::from(keep == Keep::Persist) => Ok(()),
                answers => Err(format!("{answers} answers, {kept} kept").into()),
            }
        })?;
    }
    Ok(())
}
