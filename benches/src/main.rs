//! `cargo run --release -p benches -- all`: what Stentor's rooms cost, and what the whole server costs next to the least
//! that the machine allows. Prints tables in Markdown; progress goes to standard error.

mod compare;
mod floor;
mod instructions;
mod machine;
mod micro;
mod ratio;
mod serve;
mod table;

use std::cell::Cell;
use std::error::Error;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use clap::{Parser, Subcommand, ValueEnum};
use serde_json::json;

use floor::epoll::Epoll;
use floor::ring::Ring;
use floor::server::{Bare, Then};
use machine::Cores;
use ratio::{Bench, Row};
use table::Table;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What ends a benchmark early.
type Failure = Box<dyn Error>;

/// Benchmarks of Stentor.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything: the rooms, then the ratios.
    All(Options),
    /// Rooms one by one, without sockets [all of them if none is named].
    Micro {
        /// Which.
        rooms: Vec<micro::Room>,
        #[command(flatten)]
        options: Options,
    },
    /// The whole server beside its floors [all rows if none is named].
    Ratio {
        /// Which.
        rows: Vec<Row>,
        #[command(flatten)]
        options: Options,
    },
    /// The whole server beside servers that others wrote.
    Compare {
        #[command(flatten)]
        choice: compare::Choice,
        #[command(flatten)]
        options: Options,
    },
    /// How many instructions rows of the rooms take, beside the table in `benches/instructions.tsv`; needs valgrind.
    Instructions {
        /// Writes the table anew.
        #[arg(long)]
        write: bool,
    },
    /// A row of a room, called so many times.
    #[command(hide = true)]
    Call {
        /// Which room.
        room: micro::Room,
        /// Which row of it, from 0.
        row: usize,
        /// How often.
        calls: u64,
    },
    /// The load generator that both sides of a ratio are driven with: `stentor bench`.
    #[command(hide = true)]
    Generate(Box<loadtest::cli::BenchArgs>),
    /// A bare server.
    #[command(hide = true)]
    Floor {
        /// What it does with publishes.
        then: Service,
        /// Where it says that it is ready.
        ready_file: PathBuf,
    },
    /// A minimal broadcaster on a WebSocket library.
    #[command(hide = true)]
    Serve {
        /// Which library.
        library: serve::Library,
        /// Where it says that it is ready.
        ready_file: PathBuf,
    },
    /// The bare send floor: prints microseconds for each send.
    #[command(hide = true)]
    Send {
        /// Sockets.
        sockets: u32,
        /// Bytes of a frame.
        bytes: usize,
        /// Rounds a second.
        rate: u32,
        /// Seconds.
        seconds: f64,
        /// The core of the reader.
        reader_core: usize,
    },
    /// The reader of the send floor.
    #[command(hide = true)]
    Drain {
        /// The sender.
        address: String,
        /// Sockets.
        sockets: u32,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Service {
    Answer,
    Broadcast,
    /// The same on epoll with plain sends.
    BroadcastByEpoll,
}

/// How long and with what.
#[derive(clap::Args)]
struct Options {
    /// The server that is measured; build it with `cargo build --release`.
    #[arg(long, default_value = "target/release/stentor")]
    server: PathBuf,
    /// Times that both sides of a ratio take turns.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Seconds that each turn is measured.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// The core of the server.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core of the generator.
    #[arg(long, default_value_t = 1)]
    generator_core: usize,
    /// A folder on a real disk for journals.
    #[arg(long, default_value = "target/bench-data")]
    data: PathBuf,
    /// Also writes the tables into this page, between its markers.
    #[arg(long)]
    page: Option<PathBuf>,
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Generate(args) => {
            return loadtest::cli::run(*args, Path::new("stentor"));
        }
        Command::All(options) => all(&options),
        Command::Micro { rooms, options } => tables(&options, &rooms, &[]),
        Command::Ratio { rows, options } => tables(&options, &[], &rows),
        Command::Compare { choice, options } => compare(&choice, &options),
        Command::Floor { then, ready_file } => bare(then, &ready_file),
        Command::Serve { library, ready_file } => {
            listen(&ready_file).and_then(|it| Ok(serve::run(library, it)?))
        }
        Command::Instructions { write } => instructions::run(write),
        Command::Call { room, row, calls } => instructions::one(room, row, calls),
        Command::Send { sockets, bytes, rate, seconds, reader_core } => {
            let load = floor::send::Load {
                sockets,
                bytes,
                rounds_per_second: rate,
                time: std::time::Duration::from_secs_f64(seconds),
            };
            ratio::send_floor(load, reader_core)
        }
        Command::Drain { address, sockets } => {
            floor::send::drain(&address, sockets).map_err(Into::into)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            table::note(&format!("benches: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn all(options: &Options) -> Result<(), Failure> {
    tables(options, micro::Room::value_variants(), Row::value_variants())
}

fn tables(options: &Options, rooms: &[micro::Room], rows: &[Row]) -> Result<(), Failure> {
    let (rooms, rows) = match (rooms, rows) {
        ([], []) if env::args().nth(1).as_deref() == Some("micro") => {
            (micro::Room::value_variants(), rows)
        }
        ([], []) => (rooms, Row::value_variants()),
        named => named,
    };
    fs::create_dir_all(&options.data)?;
    let mut text = table::preamble(&options.server);
    if !rows.is_empty() {
        let bench = bench(options);
        let mut table = Table::new(ratio::COLUMNS);
        for row in rows {
            ratio::measure(*row, &bench, &mut table)?;
        }
        text.push_str(&disturbance(bench.stolen.get()));
        text.push_str(&table.markdown());
    }
    if !rooms.is_empty() {
        let mut table = Table::new(micro::COLUMNS);
        for room in rooms {
            table::note(&format!("{room:?}"));
            micro::measure(*room, &options.data, &mut table)?;
        }
        text.push_str(&table.markdown());
    }
    table::print(&text)?;
    if let Some(page) = &options.page {
        table::TABLES.write(page, &text)?;
    }
    Ok(())
}

fn bench(options: &Options) -> Bench {
    Bench {
        server: options.server.clone(),
        data: options.data.clone(),
        rounds: options.rounds.max(1),
        seconds: options.seconds,
        cores: Cores { server: options.server_core, generator: options.generator_core },
        stolen: Cell::new(0.0),
    }
}

fn compare(choice: &compare::Choice, options: &Options) -> Result<(), Failure> {
    fs::create_dir_all(&options.data)?;
    let mut bench = bench(options);
    if let Some((rounds, seconds)) = choice.hurried() {
        (bench.rounds, bench.seconds) = (rounds, seconds);
    }
    compare::compare(&bench, choice, options.page.as_ref())
}

/// How much of the ratios' time was not this machine's.
fn disturbance(stolen: f64) -> String {
    format!(
        "Other machines on the host had the cores for at most {:.1} % of the time of a measurement that counts; over {:.0} % it is taken again.\n",
        stolen * 100.0,
        ratio::STOLEN_MAX * 100.0
    )
}

fn bare(then: Service, ready_file: &Path) -> Result<(), Failure> {
    let listener = listen(ready_file)?;
    let mut service = Bare::new(match then {
        Service::Answer => Then::Answer,
        Service::Broadcast | Service::BroadcastByEpoll => Then::Broadcast,
    });
    match then {
        Service::Answer | Service::Broadcast => Ring::start(listener)?.run(&mut service)?,
        Service::BroadcastByEpoll => Epoll::start(listener)?.run(&mut service)?,
    }
    Ok(())
}

/// Listens, and says where, as a node does.
fn listen(ready_file: &Path) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
    rustix::net::listen(&listener, 4096)?;
    let address = listener.local_addr()?;
    let ready = json!({
        "pid": std::process::id(),
        "ws": format!("ws://{address}"),
        "tenants": [{ "application_key": "coh_app_floor" }],
    });
    let draft = ready_file.with_extension("draft");
    fs::write(&draft, ready.to_string())?;
    fs::rename(draft, ready_file)?;
    Ok(listener)
}
