//! Measures how many changes a second the catalog takes, by how many are applied together.
//!
//! `cargo run --release -p storage --example catalog_rate -- DIR`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement: it prints, reads a clock, and stops at the first surprise"
)]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use storage::{Catalog, Change};

const KEYS: u64 = 10_000;
const TIME: Duration = Duration::from_millis(2000);

fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let mut catalog = Catalog::open(&Path::new(&dir).join("catalog-rate")).unwrap();
    let value = [7; 100];
    let mut number = 0_u64;
    for count in [1, 16, 256] {
        let (start, mut changes, mut batches) = (Instant::now(), 0, 0);
        while start.elapsed() < TIME {
            let keys: Vec<_> =
                (number..number + count).map(|it| (it % KEYS).to_be_bytes()).collect();
            let batch = keys.iter().map(|key| Change::Put { table: "rate", key, value: &value });
            catalog.apply(&batch.collect::<Vec<_>>(), 0).unwrap();
            number += count;
            changes += count;
            batches += 1;
        }
        let seconds = start.elapsed().as_secs_f64();
        let rate = |it: u32| f64::from(it) / seconds;
        let changes = rate(u32::try_from(changes).unwrap());
        println!("{count:4} together: {changes:9.0} changes/s, {:7.0} batches/s", rate(batches));
    }
}
