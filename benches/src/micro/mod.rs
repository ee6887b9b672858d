//! Rooms one by one: what a step costs when nothing else happens.

mod decode;
mod fanout;
pub(crate) mod journal;
mod lanes;
mod lists;
mod meter;
mod patterns;
mod publish;
mod shard;
mod webhook;

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;

pub(crate) use self::meter::{Calls, Meter, What};
use crate::Failure;
use crate::machine::now;
use crate::table::Table;

/// The columns of the table.
pub(crate) const COLUMNS: &[&str] = &["room", "what", "one takes", "a second"];

/// The rooms, in the order of the page.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Room {
    /// Bytes to meaning and back.
    Decode,
    /// Between two shards.
    Lanes,
    /// Durable order.
    Journal,
    /// Lists, statistics and cursors.
    Lists,
    /// One publication to many connections.
    Fanout,
    /// From the bytes of a request to its answer.
    Publish,
    /// Which of many patterns a name matches, and what policies say.
    Patterns,
    /// From the journal to receivers.
    Webhook,
}

/// Measures one room.
pub(crate) fn measure(room: Room, data: &Path, table: &mut Table) -> Result<(), Failure> {
    match room {
        Room::Decode => decode::measure(&mut Meter::Clock(table)),
        Room::Lanes => lanes::measure(table),
        Room::Journal => journal::measure(data, table),
        Room::Lists => lists::measure(data, table),
        Room::Fanout => fanout::measure(&mut Meter::Clock(table)),
        Room::Publish => publish::measure(&mut Meter::Clock(table)),
        Room::Patterns => patterns::measure(&mut Meter::Clock(table)),
        Room::Webhook => webhook::measure(data, table),
    }
}

/// Rooms whose instructions can be counted: nothing in them waits, or happens on another thread.
pub(crate) const PURE: [Room; 4] = [Room::Decode, Room::Fanout, Room::Publish, Room::Patterns];

/// Calls one row of a room, where that has so many.
pub(crate) fn call(room: Room, calls: Calls) -> Result<Calls, Failure> {
    let mut meter = Meter::Calls(calls);
    match room {
        Room::Decode => decode::measure(&mut meter)?,
        Room::Fanout => fanout::measure(&mut meter)?,
        Room::Publish => publish::measure(&mut meter)?,
        Room::Patterns => patterns::measure(&mut meter)?,
        Room::Lanes | Room::Journal | Room::Lists | Room::Webhook => {
            return Err("this room is not alone on its thread".into());
        }
    }
    match meter {
        Meter::Calls(calls) => Ok(calls),
        Meter::Clock(_) => Err("nothing was called".into()),
    }
}

const REPEATS: usize = 5;
const REPEAT_TIME: Duration = Duration::from_millis(200);

/// Nanoseconds of one call: the median of a few stretches, each as long as it takes to be measured well.
fn time(mut work: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let mut stretches = Vec::new();
    for _ in 0..=REPEATS {
        let (start, mut calls, mut batch) = (now(), 0_u64, 1_u64);
        while start.elapsed() < REPEAT_TIME {
            for _ in 0..batch {
                work()?;
            }
            calls += batch;
            batch = (batch * 2).min(1024);
        }
        stretches.push(start.elapsed().as_secs_f64() * 1e9 / calls as f64);
    }
    // The first stretch warmed everything up.
    stretches.remove(0);
    stretches.sort_by(f64::total_cmp);
    Ok(stretches.get(REPEATS / 2).copied().unwrap_or_default())
}

fn row(room: &str, what: &str, nanoseconds: f64) -> Vec<String> {
    let time = match nanoseconds {
        it if it >= 1e6 => format!("{:.2} ms", it / 1e6),
        it if it >= 1e4 => format!("{:.1} µs", it / 1e3),
        it if it >= 1e3 => format!("{:.2} µs", it / 1e3),
        it => format!("{it:.0} ns"),
    };
    vec![room.to_owned(), what.to_owned(), time, crate::ratio::figure(1e9 / nanoseconds)]
}
