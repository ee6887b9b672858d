//! A tenant that asks for more than it may, beside one that does not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::http::Http;
use super::node::pause;
use super::probe::{Kept, Probe, Window};
use super::trust::figures;
use super::world::{World, scaled, seconds, tenant};

/// Messages a second that the greedy tenant may publish.
const PER_S: u64 = 50;
/// Its connections, and the requests that each has under way.
const CONNECTIONS: usize = 4;
const WINDOW: usize = 8;

/// What the greedy tenant was answered, by status and, where it was refused, the name of the limit.
type Answers = BTreeMap<String, u64>;

/// Publishes as fast as it is answered.
fn ask_on(port: u16, path: &str, stop: &AtomicBool) -> Answers {
    let mut http = Http::open(port).unwrap();
    let body = "{\"channel\":\"greedy\",\"event\":\"m\",\"data\":1}";
    let mut answers = Answers::new();
    let mut open = 0;
    while open > 0 || !stop.load(Ordering::SeqCst) {
        while open < WINDOW && !stop.load(Ordering::SeqCst) {
            assert!(http.ask(path, None, Some(body)));
            open += 1;
        }
        let answer = http.answer().expect("an answer");
        open -= 1;
        let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        let limit = message.split(|it: char| !it.is_ascii_lowercase() && it != '_');
        let limit = limit.max_by_key(|it| it.len()).unwrap_or_default();
        *answers.entry(format!("{} {limit}", answer.status).trim().to_owned()).or_default() += 1;
    }
    answers
}

#[test]
fn a_tenant_over_its_quota_is_refused_and_one_within_it_does_not_notice() {
    let rates = format!("[tenant.rates]\npublishes_per_s = {PER_S}\npublishes_burst = {PER_S}\n");
    let config = format!("{}{rates}{}", tenant("greedy", '1'), tenant("modest", '2'));
    let world = World::start(&config, &[]);
    let modest = world.socket("modest", "quiet");
    let probe = Probe::begin(world.port(), &modest, 100, Kept::Yes);
    let (mut answers, mut beside) = (Answers::new(), 0.0);
    for _ in 0..scaled(1, 3) {
        probe.enter(Window::Alone);
        pause(seconds(1, 5));
        probe.enter(Window::Beside);
        let (stop, path) = (Arc::new(AtomicBool::new(false)), world.keyed("greedy", ""));
        let began = Instant::now();
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let (port, path, stop) = (world.port(), path.clone(), Arc::clone(&stop));
                thread::spawn(move || ask_on(port, &path, &stop))
            })
            .collect();
        pause(seconds(2, 10));
        stop.store(true, Ordering::SeqCst);
        for thread in threads {
            for (answer, count) in thread.join().unwrap() {
                *answers.entry(answer).or_default() += count;
            }
        }
        beside += began.elapsed().as_secs_f64();
    }
    let seen = probe.end();
    let admitted = answers.get("200").copied().unwrap_or_default();
    let refused = answers.get("429 publishes_per_s").copied().unwrap_or_default();
    figures(
        "quota",
        &format!("\"per_s_max\":{PER_S},\"seconds\":{beside:.1},\"answers\":{answers:?},{seen}"),
    );
    assert_eq!(answers.values().sum::<u64>(), admitted + refused, "{answers:?}");
    assert!(refused > admitted, "it asked for too little: {answers:?}");
    // What comes in the time, and a burst before each.
    let rounds = scaled(1, 3) as f64;
    let most = (beside + rounds) * PER_S as f64 + 1.0;
    assert!(admitted as f64 <= most, "{admitted} were admitted, of at most {most}");
    assert_eq!(world.kept("greedy", "greedy"), admitted);
    assert_eq!(world.kept("modest", "quiet"), seen.acknowledged);
    seen.check(Duration::from_millis(6));
    world.node.kill();
}
