//! The whole server beside the least that its work can cost: both sides in one run, in turns, on the same two cores and
//! driven by the same generator. Only ratios are claimed.

mod journal;
mod quiet;
mod rows;
mod side;
mod volume;

use std::cell::Cell;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::Failure;
use crate::floor::send;
use crate::machine::{self, Cores};
use crate::table::{self, Table};

pub(crate) use quiet::{STOLEN_MAX, quiet};
pub(crate) use rows::{IDLE_S, sends_alone};
pub(crate) use side::{Server, Side, number};

/// The columns of the table.
pub(crate) const COLUMNS: &[&str] =
    &["load", "Stentor", "beside", "ratio", "lowest to highest", "to reach"];

/// The rows, in the order of the page.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Row {
    /// CPU of a delivery at a fixed rate, beside bare sends.
    Fixed,
    /// Saturated fan-out, beside a bare broadcaster.
    Saturated,
    /// HTTP publishes, beside a bare parse-and-answer loop.
    Publish,
    /// Persisted publishes, beside the journal alone.
    Persisted,
    /// Batches and streams of messages, beside single publishes.
    Volume,
    /// Memory of idle connections.
    Idle,
    /// Deliveries in InsForge's dialect, beside those in Cohesivity's.
    Insforge,
    /// One host of the loop beside the other.
    Reactor,
}

/// With what, for how long and how often.
pub(crate) struct Bench {
    /// The server's binary.
    pub(crate) server: PathBuf,
    /// A folder on a real disk.
    pub(crate) data: PathBuf,
    /// Times that both sides take turns.
    pub(crate) rounds: u32,
    /// Seconds of a turn.
    pub(crate) seconds: f64,
    /// Which cores.
    pub(crate) cores: Cores,
    /// The largest share of a measurement that counted in which other machines had the cores.
    pub(crate) stolen: Cell<f64>,
}

/// What the two sides came to, turn by turn.
#[derive(Default)]
struct Pairs {
    ours: Vec<f64>,
    beside: Vec<f64>,
}

impl Pairs {
    fn push(&mut self, ours: f64, beside: f64) {
        table::note(&format!("    {ours:.3} beside {beside:.3}: {:.3}", ours / beside));
        self.ours.push(ours);
        self.beside.push(beside);
    }

    /// Median, lowest and highest ratio.
    fn ratio(&self) -> [f64; 3] {
        let mut ratios: Vec<f64> = self.ours.iter().zip(&self.beside).map(|(a, b)| a / b).collect();
        ratios.sort_by(f64::total_cmp);
        let end = |it: Option<&f64>| it.copied().unwrap_or_default();
        [median(&ratios), end(ratios.first()), end(ratios.last())]
    }

    fn cells(&self, load: &str, unit: &str, goal: &str) -> Vec<String> {
        let [middle, low, high] = self.ratio();
        vec![
            load.to_owned(),
            format!("{} {unit}", figure(median(&self.ours))),
            format!("{} {unit}", figure(median(&self.beside))),
            format!("**{middle:.2}**"),
            format!("{low:.2} to {high:.2}"),
            goal.to_owned(),
        ]
    }
}

/// Measures one row.
pub(crate) fn measure(row: Row, bench: &Bench, table: &mut Table) -> Result<(), Failure> {
    table::note(&format!("{row:?}"));
    match row {
        Row::Fixed => rows::fixed(bench, table),
        Row::Saturated => rows::saturated(bench, table),
        Row::Publish => rows::publish(bench, table),
        Row::Persisted => journal::persisted(bench, table),
        Row::Volume => volume::volume(bench, table),
        Row::Idle => rows::idle(bench, table),
        Row::Insforge => rows::insforge(bench, table),
        Row::Reactor => rows::reactor(bench, table),
    }
}

/// Runs the send floor in this process, which stands on the server's core, and prints microseconds for each send.
pub(crate) fn send_floor(load: send::Load, reader_core: usize) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?.to_string();
    let mut reader = Command::new(std::env::current_exe()?);
    reader.args(["drain", &address, &load.sockets.to_string()]).stdin(Stdio::null());
    let mut reader = machine::pinned(reader_core, || reader.spawn())?;
    let result = send::run(&listener, load);
    reader.kill()?;
    reader.wait()?;
    table::print(&format!("{}\n", result?))?;
    Ok(())
}

/// The middle of figures.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = |at: usize| sorted.get(at).copied().unwrap_or_default();
    match sorted.len() {
        0 => 0.0,
        even if even % 2 == 0 => f64::midpoint(middle(even / 2 - 1), middle(even / 2)),
        odd => middle(odd / 2),
    }
}

/// A figure with three digits that count.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        it if it >= 1e6 => format!("{:.2} M", value / 1e6),
        it if it >= 1e4 => format!("{:.1} k", value / 1e3),
        it if it >= 100.0 => format!("{value:.0}"),
        it if it >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_count_lies_between_two() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
    }
}
