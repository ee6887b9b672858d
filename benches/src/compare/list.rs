//! The servers of a comparison, in the order of its tables.

use std::io;
use std::process::Command;

use super::conf;
use super::peers::{Kind, Need, Peer, Place, Says, Wire, folder};

const PUSHER: Wire = Wire::Http(&[
    "--target",
    "pusher",
    "--app-id",
    conf::APP,
    "--app-key",
    conf::APP_KEY,
    "--app-secret",
    conf::APP_SECRET,
]);
const SOCKET_IO: Wire = Wire::Socket(&["--target", "socketio"]);
const PUB_SUB: Wire =
    Wire::Http(&["--target", "raw", "--publish", "{payload}", "--publish-path", "/pub/{channel}"]);
const NATS: Wire = Wire::Socket(&["--target", "nats"]);
const MQTT: Wire = Wire::Socket(&["--target", "mqtt"]);
const REDIS: Wire = Wire::Socket(&["--target", "redis"]);

/// All of them, in the order of the tables.
pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "ring floor",
        kind: Kind::Floor,
        needs: Need::Nothing,
        about: "the bare ring broadcaster of `benches/src/floor`: no tokens, channels, presence, limits or journal",
        wire: Wire::Ours,
        path: "",
        says: Says::File,
        start: |place| own(place, &["floor", "broadcast"]),
    },
    Peer {
        name: "epoll floor",
        kind: Kind::Floor,
        needs: Need::Nothing,
        about: "the same on epoll, one plain send for each subscriber and turn",
        wire: Wire::Ours,
        path: "",
        says: Says::File,
        start: |place| own(place, &["floor", "broadcast-by-epoll"]),
    },
    Peer {
        name: "uWebSockets.js",
        kind: Kind::Peer,
        needs: Need::Npm("uWebSockets.js"),
        about: "`benches/peers/uws.mjs`: its own publish and subscribe, no compression, no pings; a publish is cut, not parsed",
        wire: Wire::Ours,
        path: "",
        says: Says::Port,
        start: |place| node(place, "uws.mjs", &[]),
    },
    Peer {
        name: "ws",
        kind: Kind::Peer,
        needs: Need::Npm("ws"),
        about: "`benches/peers/ws.mjs` on Node's HTTP server: no compression, no check of UTF-8, all messages of a turn in one write",
        wire: Wire::Ours,
        path: "",
        says: Says::Port,
        start: |place| node(place, "ws.mjs", &[]),
    },
    Peer {
        name: "tungstenite",
        kind: Kind::Library,
        needs: Need::Nothing,
        about: "`benches serve tungstenite`: tokio on one thread, a task for each subscriber, one text shared by all, fed and flushed once a turn",
        wire: Wire::Ours,
        path: "",
        says: Says::File,
        start: |place| own(place, &["serve", "tungstenite"]),
    },
    Peer {
        name: "fastwebsockets",
        kind: Kind::Library,
        needs: Need::Nothing,
        about: "`benches serve fastwebsockets`: the same, frames gathered in 16 KiB in front of each socket",
        wire: Wire::Ours,
        path: "",
        says: Says::File,
        start: |place| own(place, &["serve", "fastwebsockets"]),
    },
    Peer {
        name: "Socket.IO",
        kind: Kind::Peer,
        needs: Need::Npm("socket.io"),
        about: "`benches/peers/socketio.mjs` on `ws`: WebSockets alone, no compression, rooms",
        wire: SOCKET_IO,
        path: "",
        says: Says::Port,
        start: |place| node(place, "socketio.mjs", &["ws"]),
    },
    Peer {
        name: "Socket.IO on uWebSockets.js",
        kind: Kind::Peer,
        needs: Need::Npm("socket.io"),
        about: "the same attached to uWebSockets.js, as its page on performance advises",
        wire: SOCKET_IO,
        path: "",
        says: Says::Port,
        start: |place| node(place, "socketio.mjs", &["uws"]),
    },
    Peer {
        name: "soketi",
        kind: Kind::Peer,
        needs: Need::Npm("@soketi/soketi"),
        about: "Pusher's protocol on uWebSockets.js: local adapter, app and limits in memory, metrics and logs off",
        wire: PUSHER,
        path: "",
        says: Says::Port,
        start: soketi,
    },
    Peer {
        name: "sockudo",
        kind: Kind::Peer,
        needs: Need::Cargo("sockudo"),
        about: "Pusher's protocol on tokio: local adapter, app in memory, metrics and rate limits off",
        wire: PUSHER,
        path: "",
        says: Says::Port,
        start: conf::sockudo,
    },
    Peer {
        name: "nchan",
        kind: Kind::Peer,
        needs: Need::Debian(conf::NCHAN, "libnginx-mod-nchan"),
        about: "nginx in one process: memory store, messages not stored, access log off",
        wire: PUB_SUB,
        path: "/sub/{channel}",
        says: Says::Port,
        start: conf::nchan,
    },
    Peer {
        name: "nats",
        kind: Kind::Peer,
        needs: Need::Debian("nats-server", "nats-server"),
        about: "NATS core on one thread, logs off, its own protocol over TCP",
        wire: NATS,
        path: "",
        says: Says::Port,
        start: conf::nats,
    },
    Peer {
        name: "mosquitto",
        kind: Kind::Peer,
        needs: Need::Debian("mosquitto", "mosquitto"),
        about: "MQTT 3.1.1 at QoS 0, no persistence, no limit of what waits, TCP without delay",
        wire: MQTT,
        path: "",
        says: Says::Port,
        start: conf::mosquitto,
    },
    Peer {
        name: "redis",
        kind: Kind::Peer,
        needs: Need::Debian("redis-server", "redis-server"),
        about: "publish and subscribe: no snapshots, no append-only file, no limit of what waits",
        wire: REDIS,
        path: "",
        says: Says::Port,
        start: conf::redis,
    },
];

/// This program as one of its hidden servers.
fn own(place: &Place<'_>, words: &[&str]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(words).arg(place.folder.join("ready.json"));
    Ok(command)
}

fn node(place: &Place<'_>, script: &str, arguments: &[&str]) -> io::Result<Command> {
    let mut command = Command::new("node");
    command.env("NODE_ENV", "production").arg(folder().join(script));
    command.arg(place.port.to_string()).args(arguments);
    Ok(command)
}

fn soketi(place: &Place<'_>) -> io::Result<Command> {
    let mut command = Command::new("node");
    command.arg(folder().join("node_modules/@soketi/soketi/bin/server.js")).arg("start");
    command.env("NODE_ENV", "production");
    command.envs([
        ("SOKETI_HOST", "127.0.0.1"),
        ("SOKETI_DEFAULT_APP_ID", conf::APP),
        ("SOKETI_DEFAULT_APP_KEY", conf::APP_KEY),
        ("SOKETI_DEFAULT_APP_SECRET", conf::APP_SECRET),
        ("SOKETI_METRICS_ENABLED", "0"),
        ("SOKETI_DEBUG", "0"),
        ("SOKETI_EVENT_MAX_SIZE_IN_KB", "100"),
    ]);
    command.env("SOKETI_PORT", place.port.to_string());
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_table_is_whole() {
        for (at, peer) in PEERS.iter().enumerate() {
            let others = PEERS.get(at + 1..).unwrap_or_default();
            assert!(others.iter().all(|it| it.name != peer.name), "{} stands twice", peer.name);
            assert!(!peer.name.contains(','), "--only takes names with commas between them");
            assert!(!peer.about.is_empty() && !peer.about.ends_with('.'), "{}", peer.name);
            assert_eq!(peer.wire == Wire::Ours, peer.wire.target().is_none(), "{}", peer.name);
            let is_ours = matches!(peer.needs, Need::Nothing);
            assert_eq!(is_ours, peer.says == Says::File, "{} says that it is ready", peer.name);
            assert_eq!(is_ours, peer.kind != Kind::Peer, "{} is a server", peer.name);
        }
    }

    #[test]
    fn every_configuration_can_be_written_and_every_script_is_there() {
        let folder = tempfile::tempdir().unwrap();
        for peer in PEERS.iter().filter(|it| it.missing().is_none()) {
            let command = (peer.start)(&Place { folder: folder.path(), port: 1 }).unwrap();
            let scripts = command.get_args().filter(|it| Path::new(it).is_absolute());
            let is_there = |it: &std::ffi::OsStr| Path::new(it).exists();
            let new = ["ready.json", "error.log"].map(|it| folder.path().join(it));
            for script in scripts.filter(|it| !new.iter().any(|new| new.as_os_str() == *it)) {
                assert!(is_there(script), "{}: no {}", peer.name, script.display());
            }
        }
    }

    #[test]
    fn every_npm_package_has_an_exact_version() {
        let manifest = fs::read_to_string(folder().join("package.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        for peer in PEERS {
            let Need::Npm(package) = peer.needs else { continue };
            let version = manifest["dependencies"][package].as_str().unwrap();
            let number = version.rsplit('@').next().unwrap();
            assert!(number.starts_with(|it: char| it.is_ascii_digit()), "{package}: {version}");
        }
    }
}
