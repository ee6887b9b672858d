//! A process that publishes and delivers is killed again and again. Whatever it said is durable arrives at every endpoint, in order.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::random::Random;
use crate::receiver::{OK, Receiver, Reply, Request};
use crate::trust;
use crate::world::{World, hook, options};

const DIR: &str = "STENTOR_TEST_WEBHOOK_DIR";
const URLS: &str = "STENTOR_TEST_WEBHOOK_URLS";
const FIRST: &str = "STENTOR_TEST_WEBHOOK_FIRST";
const ROUNDS: u64 = 10;
const ROUNDS_TRUST: u64 = 50;
const CHANNELS: u64 = 3;

/// Publishes numbers without an end, and prints each once it is durable.
#[test]
fn child_that_is_killed() {
    let Ok(dir) = env::var(DIR) else {
        return; // Only the test below starts it in earnest.
    };
    let urls: Vec<String> = env::var(URLS).unwrap().split(' ').map(str::to_owned).collect();
    let first: u64 = env::var(FIRST).unwrap().parse().unwrap();
    let mut world = World::start(Path::new(&dir), options(), &[hook("room", &urls)]);
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready").unwrap();
    for number in first.. {
        world.publish(&format!("room:{}", number % CHANNELS), number);
        writeln!(out, "acked {number}").unwrap();
        out.flush().unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Lets the child run for a while after it is ready; says which numbers it acknowledged.
fn run_and_kill(dir: &Path, urls: &str, first: u64, time: Duration) -> Vec<u64> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_is_killed", "--nocapture"])
        .env(DIR, dir)
        .env(URLS, urls)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acked = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut note = |line: String| {
        acked.extend(line.strip_prefix("acked ").and_then(|it| it.parse::<u64>().ok()));
    };
    // The name of the test stands in front of the first line.
    for line in lines.by_ref().map_while(Result::ok) {
        if line.ends_with("ready") {
            break;
        }
    }
    std::thread::sleep(time);
    child.kill().unwrap();
    lines.map_while(Result::ok).for_each(&mut note);
    child.wait().unwrap();
    acked
}

/// The numbers of each channel, in the order in which they came first; and how often one came again.
fn firsts(seen: &[Request]) -> (BTreeMap<u64, Vec<u64>>, usize) {
    let (mut channels, mut again) = (BTreeMap::<u64, Vec<u64>>::new(), 0);
    for number in seen.iter().map(Request::number) {
        let channel = channels.entry(number % CHANNELS).or_default();
        if channel.contains(&number) {
            again += 1;
        } else {
            channel.push(number);
        }
    }
    (channels, again)
}

#[test]
fn a_killed_node_loses_no_delivery_and_keeps_the_order() {
    let dir = tempfile::tempdir().unwrap();
    let well = Receiver::start(|_, _| OK);
    // This one breaks off now and then, having heard the message.
    let shaky = Receiver::start(|_, count| if count % 7 == 3 { Reply::Cut } else { OK });
    let urls = [well.url(), shaky.url()];
    let mut random = Random::new(17);
    let (mut acked, mut first) = (Vec::new(), 0);
    let rounds = trust::rounds(ROUNDS, ROUNDS_TRUST);
    for round in 0..rounds {
        let time = Duration::from_millis(20 + random.below(250));
        let some = run_and_kill(dir.path(), &urls.join(" "), first, time);
        assert!(!some.is_empty(), "round {round}: the child worked");
        // One more may be durable than was acknowledged.
        first = some.last().unwrap() + 10;
        acked.extend(some);
    }
    let world = World::start(dir.path(), options(), &[hook("room", &urls)]);
    assert!(acked.len() as u64 > rounds, "{} messages", acked.len());
    for receiver in [&well, &shaky] {
        let is_all = |seen: &[Request]| {
            let (channels, _) = firsts(seen);
            channels.values().map(Vec::len).sum::<usize>() >= acked.len()
                && acked.iter().all(|it| channels[&(it % CHANNELS)].contains(it))
        };
        receiver.wait_until(is_all);
        let (channels, again) = firsts(&receiver.seen());
        for (channel, numbers) in &channels {
            assert!(numbers.is_sorted(), "channel {channel}: {numbers:?}");
        }
        // What a crash repeats is what was not saved yet, and no more.
        assert!(again < acked.len(), "{again} of {} came again", acked.len());
    }
    drop(world);
    let (count, lost) = (acked.len(), "\"acknowledged_lost\":0");
    trust::figures(
        "kill -9 amid webhooks",
        &format!("\"rounds\":{rounds},\"acknowledged\":{count},{lost}"),
    );
}
