//! Brokers that speak their own protocols over TCP, as Debian has them: NATS, mosquitto and Redis. Each test starts one of its own.

use crate::{SMALL, Server};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

/// How often a port that was free may be another's by the time the broker wants it.
const TRIES: u32 = 5;
/// How often it is seen whether the broker listens.
const LOOKS: u32 = 2000;
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Starts a broker of a Debian package on a free port, with a configuration in which `PORT` stands for it.
fn start(program: &str, options: &[&str], configuration: &str) -> Server {
    for _ in 0..TRIES {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.path().join("configuration");
        std::fs::write(&file, configuration.replace("PORT", &port.to_string())).unwrap();
        let mut command = Command::new(place_of(program));
        command.args(options).arg(&file).current_dir(folder.path()).stdin(Stdio::null());
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|why| {
            panic!("{program}: {why}: sudo apt-get install --no-install-recommends {program}")
        });
        if listens(&mut child, port) {
            return Server { child, port, _out: None, _folder: Some(folder) };
        }
        // It fails only when the process is gone already.
        let _ = child.kill();
        let _ = child.wait();
    }
    panic!("{program} did not start in {TRIES} tries");
}

/// Debian has servers where only root looks for them.
fn place_of(program: &str) -> std::path::PathBuf {
    let there = Path::new("/usr/sbin").join(program);
    if there.is_file() { there } else { program.into() }
}

fn listens(child: &mut Child, port: u16) -> bool {
    for _ in 0..LOOKS {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return owns(child.id(), port);
        }
        std::thread::park_timeout(LOOK_AGAIN);
    }
    false
}

/// Whether it is this process that listens on a port, and not one that took the port meanwhile.
fn owns(pid: u32, port: u16) -> bool {
    // Per line: a number, the local address, the remote one, the state (0A listens), and, tenth, the inode.
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let is_meant = |it: &Vec<&str>| it[1].ends_with(&format!(":{port:04X}")) && it[3] == "0A";
    let inodes: Vec<_> = lines.skip(1).filter(is_meant).map(|it| it[9].to_owned()).collect();
    // It may have ended meanwhile.
    let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let open = open.filter_map(|it| std::fs::read_link(it.ok()?.path()).ok());
    let sockets: Vec<_> = open.filter_map(|it| it.into_os_string().into_string().ok()).collect();
    inodes.iter().any(|inode| sockets.contains(&format!("socket:[{inode}]")))
}

/// Whoever listens hears everything; who publishes alone is answered, or hears itself.
fn is_driven(server: &Server, target: &str, [fanout, publish]: [u64; 2]) {
    let how = format!("--target {target} --url 127.0.0.1:PORT");
    for (line, listeners) in [
        (format!("{SMALL} {how}"), fanout),
        (format!("publish --connections 4 --warmup 0.1 --duration 0.4 {how}"), publish),
    ] {
        let result = server.check(&line, listeners);
        assert_eq!(result["settings"]["dialect"], target);
        for fault in ["lost", "duplicated", "reordered", "foreign", "damaged", "closed", "stalls"] {
            assert_eq!(result["checked"][fault], 0, "{line}: {}", result["checked"]);
        }
    }
}

#[test]
fn nats_is_driven_in_its_protocol() {
    let server = start("nats-server", &["-c"], "listen: \"127.0.0.1:PORT\"\n");
    // Three publishing connections hear their own channels too: four on each. Four publishers alone share a channel.
    is_driven(&server, "nats", [4, 4]);
}

#[test]
fn a_nats_server_that_asks_who_is_there_is_answered() {
    // It gives up who left two questions unanswered.
    let asks = "listen: \"127.0.0.1:PORT\"\nping_interval: \"700ms\"\nping_max: 2\n";
    let server = start("nats-server", &["-c"], asks);
    let line = "connect --subscribers 20 --hold 3 --target nats --url 127.0.0.1:PORT";
    let (code, result) = server.bench(line);
    assert_eq!(code, ExitCode::SUCCESS, "{}", result["verdict"]);
    assert_eq!(result["checked"]["closed"], 0, "{}", result["checked"]);
}

#[test]
fn mosquitto_is_driven_in_mqtt() {
    // In no log, and with room for what a closed loop has on its way.
    let configuration = "listener PORT 127.0.0.1\nallow_anonymous true\npersistence false\n\
                         max_queued_messages 0\nset_tcp_nodelay true\nlog_dest none\n";
    let server = start("mosquitto", &["-c"], configuration);
    is_driven(&server, "mqtt", [4, 4]);
}

#[test]
fn redis_is_driven_in_its_protocol() {
    let server =
        start("redis-server", &[], "bind 127.0.0.1\nport PORT\nsave \"\"\nappendonly no\n");
    // A publish has an answer: nobody hears what it said itself.
    is_driven(&server, "redis", [3, 0]);
}
