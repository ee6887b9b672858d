//! Behind haproxy, which keeps one connection to the node for all of its clients: what one of them sends never changes the answer
//! that the next one gets.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::node::{Node, PATIENCE, pause};
use super::strict::{Sent, cases};
use super::trust::figures;

struct Proxy {
    child: Child,
    socket: PathBuf,
    /// Where it tells what it did.
    stats: PathBuf,
    _folder: tempfile::TempDir,
}

impl Proxy {
    fn before(node: &Node) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [config, socket, stats] =
            ["haproxy.cfg", "socket", "stats"].map(|it| folder.path().join(it));
        let text = format!(
            "global\n stats socket {}\n\
             defaults\n mode http\n timeout connect 5s\n timeout client 2s\n timeout server 5s\n http-reuse always\n\
             frontend clients\n bind unix@{}\n default_backend nodes\n\
             backend nodes\n server node {} maxconn 1 pool-max-conn 1\n",
            stats.display(),
            socket.display(),
            node.address()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program());
        command.arg("-db").arg("-f").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|why| {
            panic!("haproxy: {why}: sudo apt-get install --no-install-recommends haproxy")
        });
        let mut proxy = Self { child, socket, stats, _folder: folder };
        let mut looks = 0;
        while UnixStream::connect(&proxy.socket).is_err() {
            looks += 1;
            assert!(looks < 2_000, "haproxy does not listen: {:?}", proxy.child.try_wait());
            pause(Duration::from_millis(5));
        }
        proxy
    }

    /// Sends bytes, no more, and reads what comes until the end.
    fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may have refused the first of it and closed.
        if stream.write_all(bytes).is_ok() {
            let _ = stream.shutdown(Shutdown::Write); // likewise
        }
        let mut read = Vec::new();
        let _ = stream.read_to_end(&mut read); // likewise
        String::from_utf8_lossy(&read).into_owned()
    }

    /// How many requests went over a connection to the node that an earlier one had left.
    fn reused(&self) -> usize {
        let mut stream = UnixStream::connect(&self.stats).unwrap();
        stream.write_all(b"show stat\n").unwrap();
        let mut read = String::new();
        stream.read_to_string(&mut read).unwrap();
        let mut lines = read.lines().map(|it| it.split(',').collect::<Vec<_>>());
        let column = lines.next().unwrap().iter().position(|it| *it == "reuse").unwrap();
        let node = lines.find(|it| it[..2] == ["nodes", "node"]).unwrap();
        node[column].parse().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait(); // so that no zombie is left
    }
}

/// Debian puts it where only the administrator's programs are looked for.
fn program() -> &'static Path {
    let there = Path::new("/usr/sbin/haproxy");
    if there.is_file() { there } else { Path::new("haproxy") }
}

#[test]
fn no_request_of_the_table_changes_the_answer_to_the_next() {
    let node = Node::ephemeral();
    let proxy = Proxy::before(&node);
    let mut passed_on = 0;
    for (number, case) in cases().iter().enumerate() {
        let answer = proxy.exchange(&Sent::of(case).bytes);
        // A page of the proxy's own has none.
        passed_on += usize::from(answer.to_lowercase().contains("access-control-allow-origin"));
        let marker = format!("/api/realtime/marker-{number}");
        let ask = format!("GET {marker} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = proxy.exchange(ask.as_bytes());
        let is_own = answer.starts_with("HTTP/1.1 404 ") && answer.contains(&marker);
        assert!(is_own, "after {}: {answer}", case.bytes.escape_ascii());
    }
    assert!(passed_on > 100, "only {passed_on} requests reached the node");
    let reused = proxy.reused();
    assert!(reused > 200, "only {reused} requests shared a connection");
    node.stop();
    let told = format!(r#""cases":{},"passed_on":{passed_on},"reused":{reused}"#, cases().len());
    figures("raw requests behind haproxy", &told);
}
