//! Nodes that are started with less than usual, and connections that take less.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use super::node::{Node, stentor};
use super::raw::Raw;

/// What the receive buffer of a connection holds that takes little.
const LITTLE_BYTES: usize = 16 * 1024;

/// A connection whose kernel takes little that nobody reads.
pub(crate) fn little(node: &Node) -> Raw {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    sockopt::set_socket_recv_buffer_size(&socket, LITTLE_BYTES).unwrap();
    connect(&socket, &node.address()).unwrap();
    Raw::on(TcpStream::from(socket))
}

/// The binary behind a line of a shell, which runs first.
pub(crate) fn behind(folder: &Path, line: &str) -> Command {
    let stentor = stentor(folder);
    let mut command = Command::new("sh");
    command.current_dir(folder).arg("-c").arg(format!("{line}; exec \"$@\"")).arg("sh");
    command.arg(stentor.get_program());
    for (name, value) in stentor.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// A node behind such a line, in a folder that outlives it.
pub(crate) fn node(folder: &Path, line: &str, arguments: &[&str]) -> Node {
    Node::launch(behind(folder, line), folder, arguments)
}

/// Bytes of a process that no file stands behind.
pub(crate) fn own_bytes(node: &Node) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/statm", node.pid())).unwrap();
    let pages: Vec<u64> = text.split(' ').map(|it| it.trim().parse().unwrap()).collect();
    (pages[1] - pages[2]) * rustix::param::page_size() as u64
}

/// Time that a process has worked, in seconds.
pub(crate) fn worked_s(node: &Node) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", node.pid())).unwrap();
    let rest = text.rsplit(')').next().unwrap();
    let ticks: Vec<f64> = rest.split(' ').filter_map(|it| it.parse().ok()).collect();
    // Behind the name and the state: fields 4 on, of which 14 and 15 are meant.
    (ticks[10] + ticks[11]) / rustix::param::clock_ticks_per_second() as f64
}
