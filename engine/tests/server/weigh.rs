//! What `stentor bench connect` says of a server's memory when several processes hold the connections.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;
use tungstenite::Message;

use crate::node::{Node, stentor, stentor_at, wait};

/// Runs it in a folder, and gives the memory of its result.
fn memory(mut command: Command, (folder, line): (&Path, &str)) -> Value {
    command.args(["bench", "connect", "--hold", "0.2"]).args(line.split(' '));
    command.args(["--no-progress", "--json", "result.json"]).stdout(Stdio::null());
    wait(&mut command.spawn().unwrap());
    let result = std::fs::read_to_string(folder.join("result.json")).unwrap();
    let result: Value = serde_json::from_str(&result).unwrap();
    assert!(result["memory"].is_object(), "{line}: {result}");
    result["memory"].clone()
}

fn grown(memory: &Value, kind: &str) -> f64 {
    let of = |when: &str| memory[format!("{kind}_{when}")].as_f64().unwrap();
    of("after") - of("before")
}

/// More than are weighed at least.
const CONNECTIONS: usize = 120;
/// For some of them the server below holds so much that an allocator gives it back at once.
const HELD_BYTES: usize = 40 << 20;
const HELD: usize = 6;

/// A server in this process that holds memory for a connection from its upgrade to its end.
fn heavy() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = |nth: usize, stream| {
        let Ok(mut socket) = tungstenite::accept(stream) else { return };
        let is_heavy = nth.is_multiple_of(CONNECTIONS / HELD);
        let held = is_heavy.then(|| vec![1_u8; HELD_BYTES]);
        let _ = socket.send(Message::text("inside")); // that it is gone is seen below
        while socket.read().is_ok() {}
        drop(held);
    };
    thread::spawn(move || {
        for (nth, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            thread::spawn(move || serve(nth, stream));
        }
    });
    port
}

#[test]
fn a_server_is_weighed_while_all_are_connected() {
    let (folder, port) = (tempfile::tempdir().unwrap(), heavy());
    let line = format!(
        "--subscribers {CONNECTIONS} --generators 3 --target raw --url ws://127.0.0.1:{port}/ \
         --publish {{payload}} --subscribed inside --server-pid {}",
        std::process::id()
    );
    let memory = memory(stentor(folder.path()), (folder.path(), &line));
    let least = (HELD_BYTES * HELD - HELD_BYTES / 2) as f64;
    assert!(grown(&memory, "rss") > least, "{HELD} hold {HELD_BYTES} bytes: {memory}");
}

/// By how much a fresh node grew that runs this program, as the same program says.
fn of_node(program: &Path, more: &str) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let command = || stentor_at(program, folder.path());
    let node = Node::launch(command(), folder.path(), &["--ephemeral", "--shards", "2"]);
    let (url, pid) = (node.url(""), node.pid());
    let line = format!("--subscribers 1500 --url {url} --server-pid {pid}{more}");
    let mut bench = command();
    bench.env("STENTOR_BENCH_KEY", node.key());
    let memory = memory(bench, (folder.path(), &line));
    node.stop();
    grown(&memory, "pss")
}

/// Pages of a program that several processes run count in part for each: the generators may not change that in between.
#[test]
fn generators_that_run_the_servers_program_do_not_make_it_lighter() {
    // A copy, as other tests run the program too, and end when they like.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("stentor");
    std::fs::copy(env!("CARGO_BIN_EXE_stentor"), &program).unwrap();
    let (one, several) = (of_node(&program, ""), of_node(&program, " --generators 3"));
    // Allocators take memory by the megabyte.
    assert!((0.4..2.5).contains(&(several / one)), "{several} bytes instead of {one}");
}
