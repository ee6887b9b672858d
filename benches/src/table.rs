//! Tables in Markdown, and the notes beside them.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::machine;

/// A part of a page that a program writes, between marks.
pub(crate) struct Section {
    begin: &'static str,
    end: &'static str,
}

/// What `all`, `ratio` and `micro` write.
pub(crate) const TABLES: Section = Section {
    begin: "<!-- tables: what `benches` was run with stands below; `--page docs/benchmarks.md` writes up to the end -->\n",
    end: "<!-- end of tables -->\n",
};

/// What `compare` writes.
pub(crate) const PEERS: Section = Section {
    begin: "<!-- peers: `cargo xtask compare` writes up to the end -->\n",
    end: "<!-- end of peers -->\n",
};

/// Rows of text under a heading.
pub(crate) struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row, and shows it at once.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        note(&format!("  {}", cells.join(" | ")));
        self.rows.push(cells);
    }

    /// The whole table.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let heads: Vec<String> = self.columns.iter().map(|it| (*it).to_owned()).collect();
        let mut text = format!("\n{}|{}\n", line(&heads), "---|".repeat(heads.len()));
        for row in &self.rows {
            text.push_str(&line(row));
        }
        text
    }
}

/// Says where, when and how.
pub(crate) fn preamble(server: &Path) -> String {
    let date = machine::output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]);
    let commit = machine::output("git", &["describe", "--always", "--dirty", "--abbrev=10"]);
    let command: Vec<String> = std::env::args().skip(1).collect();
    let version = machine::output(&server.display().to_string(), &["--version"]);
    format!(
        "Measured {date} in a tree at commit {commit}, its server saying \"{version}\", on {}, with\n\
         `cargo run --release -p benches -- {}`.\n",
        machine::description(),
        command.join(" ")
    )
}

/// Says something while the work goes on.
pub(crate) fn note(text: &str) {
    // Progress that nobody can read stops nothing.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints the result.
pub(crate) fn print(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes())
}

impl Section {
    /// Replaces what stands between the marks of a page.
    pub(crate) fn write(&self, page: &Path, text: &str) -> io::Result<()> {
        let old = fs::read_to_string(page)?;
        let begin = old.find(self.begin).map(|at| at + self.begin.len());
        let (Some(begin), Some(end)) = (begin, old.find(self.end)) else {
            let begin = self.begin.trim_end();
            return Err(io::Error::other(format!("{} has no line {begin}", page.display())));
        };
        let (before, after) = (old.get(..begin), old.get(end..));
        fs::write(page, [before.unwrap_or_default(), text, after.unwrap_or_default()].concat())
    }
}
