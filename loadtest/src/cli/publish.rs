//! `stentor publish`: from options to an exit code of sysexits.h.

use crate::failure::Failure;
use crate::publish::{Blame, Dialect, Input, OnError, Options, Summary, Wire, publish};
use crate::report::progress::{Progress, Watch};
use crate::server::Target;
use clap::Args;
use protocol::Keep;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const EXIT_USAGE: u8 = 64;
const EXIT_DATA: u8 = 65;
const EXIT_NO_INPUT: u8 = 66;
const EXIT_UNAVAILABLE: u8 = 69;
const EXIT_IO: u8 = 74;
const EXIT_LATER: u8 = 75;
const EXIT_DENIED: u8 = 77;
const EXIT_INTERRUPTED: u8 = 130;

const EXAMPLES: &str = "\
EXAMPLES:
  stentor publish --lines - --key coh_app_… < messages.jsonl
                                  each line: {\"channel\":\"room\",\"event\":\"tick\",\"data\":{\"n\":1}}
  tail -f app.log.json | stentor publish --lines - --channel logs
                                  lines without a channel go to `logs`; the key is STENTOR_PUBLISH_KEY
  stentor publish --lines day.jsonl --ephemeral --connections 8
                                  nothing is kept; eight connections
  stentor publish --lines day.jsonl --dialect infrai --key ifr_pk_… --batch 100
                                  a hundred lines in a request, taken together or not at all

EXIT CODES:
  0    every line was published
  64   the command line is wrong
  65   a line is wrong, or the server refused one as wrong; the summary names the first ones
  66   the file of lines cannot be opened
  69   the server cannot be reached, failed, or did not answer
  74   reading the lines failed
  75   the server had no room, again and again: try later
  77   the key is wrong, or not allowed to
  130  interrupted";

/// Publish a stream of lines at full speed.
///
/// A line is a JSON object: `channel`, `event` (\"message\" if absent), `data` (any JSON value, passed on byte
/// for byte) and `persist` (true or false). Blank lines are skipped. Lines are read no faster than the server
/// takes them. Lines of one channel are published in their order; only when the server had no room for one
/// (429, 503) can others overtake it that were in flight with it: with --window 1 none can.
///
/// Without --continue-on-error the first refused line ends the stream, and what is in flight is waited for.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub struct PublishLinesArgs {
    /// Where the lines are: a file, or - for standard input.
    #[arg(long, value_name = "FILE")]
    lines: PathBuf,
    /// The server's address.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The key that publishes. The environment keeps it out of the list of processes.
    #[arg(long, env = "STENTOR_PUBLISH_KEY", hide_env_values = true)]
    key: String,
    /// Where lines without a channel go.
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// What the server is spoken to in.
    #[arg(long, value_enum, default_value_t = Dialect::Cohesivity)]
    dialect: Dialect,
    /// Lines in one request, with --dialect infrai.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    batch: u16,
    /// Keep no message whose line does not say `persist`.
    #[arg(long)]
    ephemeral: bool,
    /// Connections. Each channel uses one of them.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    /// Unanswered requests on each connection.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=16))]
    window: u16,
    /// Count refused lines and go on.
    #[arg(long)]
    continue_on_error: bool,
    /// No progress bar.
    #[arg(long)]
    no_progress: bool,
}

/// Publishes the lines, says on standard output what became of them, and how it went.
#[must_use]
pub fn run(args: &PublishLinesArgs) -> ExitCode {
    let (code, failure) = match publish_lines(args) {
        Ok(code) => (code, None),
        Err((code, failure)) => (code, Some(failure)),
    };
    if let Some(failure) = failure {
        // Nothing can be done when standard error is closed as well.
        let _ = writeln!(std::io::stderr(), "stentor publish: {failure}");
    }
    ExitCode::from(code)
}

fn publish_lines(args: &PublishLinesArgs) -> Result<u8, (u8, Failure)> {
    let with = |code: u8| move |failure: Failure| (code, failure);
    if args.batch > 1 && args.dialect != Dialect::Infrai {
        let what = "--batch needs --dialect infrai: no other dialect takes lines together";
        return Err((EXIT_USAGE, Failure::Usage(what.to_owned())));
    }
    let target = Target::at(&args.url, &args.key, None).map_err(|failure| match failure {
        Failure::Usage(_) => (EXIT_USAGE, failure),
        Failure::Io { .. } | Failure::Server(_) | Failure::Data(_) | Failure::Interrupted => {
            (EXIT_UNAVAILABLE, failure)
        }
    })?;
    let mut input = Input::open(&args.lines)
        .map_err(Failure::io("cannot open the lines"))
        .map_err(with(EXIT_NO_INPUT))?;
    let progress = if args.no_progress { Progress::Hidden } else { Progress::Bar };
    let mut watch = Watch::new(progress).map_err(with(EXIT_IO))?;
    let options = Options {
        channel: args.channel.clone(),
        keep: if args.ephemeral { Keep::Pass } else { Keep::Persist },
        connections: usize::from(args.connections),
        window: usize::from(args.window),
        batch: usize::from(args.batch),
        on_error: OnError::continue_if(args.continue_on_error),
    };
    let wire = Wire::new(args.dialect, &target.endpoint);
    let mut summary = Summary::default();
    let outcome = publish((target.to, &wire), &options, &mut input, &mut watch, &mut summary);
    watch.clear();
    write!(std::io::stdout(), "{summary}")
        .map_err(Failure::io("cannot write the summary"))
        .map_err(with(EXIT_IO))?;
    outcome.map_err(|failure| (code_of(&failure), failure))?;
    Ok(verdict(&summary))
}

fn code_of(failure: &Failure) -> u8 {
    match failure {
        Failure::Usage(_) => EXIT_USAGE,
        Failure::Io { operation, .. } if operation.contains("lines") => EXIT_IO,
        Failure::Io { .. } | Failure::Server(_) => EXIT_UNAVAILABLE,
        Failure::Data(_) => EXIT_DATA,
        Failure::Interrupted => EXIT_INTERRUPTED,
    }
}

fn verdict(summary: &Summary) -> u8 {
    match summary.blame() {
        Some(Blame::Key) => EXIT_DENIED,
        Some(Blame::Server) => EXIT_UNAVAILABLE,
        Some(_) | None if summary.has_lost() => EXIT_UNAVAILABLE,
        Some(Blame::Load) => EXIT_LATER,
        Some(Blame::Data) => EXIT_DATA,
        None => 0,
    }
}
