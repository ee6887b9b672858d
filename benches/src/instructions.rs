//! `benches instructions`: how many instructions a publish and a delivery take. Unlike time they are the same on a busy machine, so
//! that a table in the tree shows what became dearer.
//!
//! Each row runs twice under valgrind, with different numbers of calls; what they differ in is the calls alone.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use clap::ValueEnum as _;

use crate::Failure;
use crate::machine;
use crate::micro::{Calls, PURE, Room, call};
use crate::table::{note, print};

/// The table in the tree, wherever this is run.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.tsv");
const HEAD: &str = "room\twhat\tinstructions of one";
/// Calls of the two runs.
const CALLS: [u64; 2] = [64, 192];
/// What a row may take more than the table says, in parts of a hundred: tables of hashes have another seed in each process.
const SLACK_PERCENT: f64 = 3.0;

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
struct Counted {
    room: String,
    what: String,
    instructions: f64,
}

/// Counts all rows, and compares them with the table or writes that anew.
pub(crate) fn run(writes: bool) -> Result<(), Failure> {
    let version = machine::output("valgrind", &["--version"]);
    if !version.starts_with("valgrind-") {
        return Err("valgrind is missing: sudo apt-get install valgrind".into());
    }
    // Read before minutes are spent.
    let known = if writes { Vec::new() } else { read(&fs::read_to_string(TABLE)?)? };
    let mut rows = Vec::new();
    for room in PURE {
        rows.extend(count(room)?);
    }
    if writes {
        fs::write(TABLE, text(&rows))?;
        return Ok(print(&format!("{TABLE} is written\n"))?);
    }
    let (report, is_dearer) = compare(&known, &rows);
    print(&report)?;
    if is_dearer {
        return Err(format!(
            "a row takes over {SLACK_PERCENT} % more than {TABLE} says; if that is meant: --write"
        )
        .into());
    }
    Ok(())
}

/// What valgrind runs: one row, called so many times.
pub(crate) fn one(room: Room, row: usize, calls: u64) -> Result<(), Failure> {
    let called = call(room, Calls::of(row, calls))?;
    if let Some((room, what, times)) = called.found {
        print(&format!("{room}\t{what}\t{times}\n"))?;
    }
    Ok(())
}

fn count(room: Room) -> Result<Vec<Counted>, Failure> {
    let mut rows = Vec::new();
    loop {
        let Some((first, label)) = under_valgrind(room, rows.len(), CALLS[0])? else {
            return Ok(rows);
        };
        let second = under_valgrind(room, rows.len(), CALLS[1])?.ok_or("a row is gone")?.0;
        let mut parts = label.trim_end().split('\t');
        let (Some(room), Some(what), Some(times)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(format!("no row: {label:?}").into());
        };
        let calls = (CALLS[1] - CALLS[0]) as f64 * times.parse::<f64>()?;
        let instructions = second.saturating_sub(first) as f64 / calls;
        note(&format!("  {room} | {what} | {instructions:.1}"));
        rows.push(Counted { room: room.to_owned(), what: what.to_owned(), instructions });
    }
}

/// All instructions of a run, and what it says. `None`: the room has no such row.
fn under_valgrind(room: Room, row: usize, calls: u64) -> Result<Option<(u64, String)>, Failure> {
    let name = room.to_possible_value().ok_or("a room without a name")?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    command.arg(env::current_exe()?).args(["call", name.get_name()]);
    command.args([row.to_string(), calls.to_string()]);
    let output = command.output()?;
    let (said, told) =
        (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr).into_owned());
    if !output.status.success() {
        return Err(format!("{command:?}: {told}").into());
    }
    let instructions = refs(&told).ok_or_else(|| format!("no count of valgrind in: {told}"))?;
    Ok((!said.is_empty()).then_some((instructions, said)))
}

/// The number of `==7== I   refs:      1,234,567`.
fn refs(told: &str) -> Option<u64> {
    let line = told.lines().find(|it| it.contains(" refs:"))?;
    line.split(" refs:").nth(1)?.trim().replace(',', "").parse().ok()
}

fn text(rows: &[Counted]) -> String {
    let mut text = format!("{HEAD}\n");
    for it in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}\t{}\t{:.1}", it.room, it.what, it.instructions);
    }
    text
}

fn read(text: &str) -> Result<Vec<Counted>, Failure> {
    let row = |line: &str| {
        let mut parts = line.split('\t');
        let (room, what) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(Counted { room, what, instructions: parts.next()?.parse().ok()? })
    };
    let lines = text.lines().skip(1);
    lines.map(|it| row(it).ok_or_else(|| format!("{TABLE}: {it:?}").into())).collect()
}

/// Both tables beside each other, and whether a row became dearer.
fn compare(known: &[Counted], now: &[Counted]) -> (String, bool) {
    let (mut report, mut is_dearer) = (String::new(), false);
    for it in now {
        let before = known.iter().find(|other| (&other.room, &other.what) == (&it.room, &it.what));
        let verdict =
            match before.map(|before| 100.0 * (it.instructions / before.instructions - 1.0)) {
                None => "new".to_owned(),
                Some(more) if more > SLACK_PERCENT => {
                    is_dearer = true;
                    format!("{more:+.1} %, DEARER")
                }
                Some(more) => format!("{more:+.1} %"),
            };
        let _ = writeln!(report, "{} | {} | {:.1} | {verdict}", it.room, it.what, it.instructions);
    }
    (report, is_dearer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(what: &str, instructions: f64) -> Counted {
        Counted { room: "publish".to_owned(), what: what.to_owned(), instructions }
    }

    #[test]
    fn the_count_of_valgrind_is_read() {
        assert_eq!(refs("==7== \n==7== I   refs:      1,234,567\n"), Some(1_234_567));
        assert_eq!(refs("==7== nothing"), None);
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let rows = [row("one", 12.5), row("two", 7.0)];
        assert_eq!(read(&text(&rows)).ok(), Some(rows.to_vec()));
        assert!(read("head\nroom\twhat\tmany\n").is_err());
    }

    #[test]
    fn only_what_became_dearer_is_told() {
        let check = |now: f64, expected: bool| {
            let (report, is_dearer) = compare(&[row("one", 100.0)], &[row("one", now)]);
            assert_eq!(is_dearer, expected, "{report}");
        };
        check(102.9, false);
        check(103.1, true);
        check(50.0, false);
        assert!(!compare(&[], &[row("one", 1.0)]).1, "a new row is none that became dearer");
    }

    /// The table in the tree has the rows that there are.
    #[test]
    fn every_row_is_in_the_table() {
        let known =
            fs::read_to_string(TABLE).ok().and_then(|it| read(&it).ok()).unwrap_or_default();
        let known: Vec<_> = known.into_iter().map(|it| (it.room, it.what)).collect();
        let row = |room, row| call(room, Calls::of(row, 1)).ok().and_then(|it| it.found);
        let rows = |room| (0..).map_while(move |it| row(room, it)).map(|it| (it.0, it.1));
        let there: Vec<_> = PURE.into_iter().flat_map(rows).collect();
        assert!(!there.is_empty());
        assert_eq!(known, there);
    }
}
