//! Receivers with TLS: the address is ours, the name stays theirs.

use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use engine::side::Authorities;
use engine::side::webhook::{Fault, Nameservers, Outcome};

use crate::dns::Dns;
use crate::egress::{answered, way_with};

/// Answers 200 where the name of the handshake and the one of the request are both `receiver.test`.
const SERVER: &str = r#"
const { readFileSync } = require("node:fs");
const pem = (name) => readFileSync(`${process.env.TLS_FOLDER}/${name}`);
const server = require("node:https").createServer({ key: pem("server.key"), cert: pem("server.pem") }, (request, response) => {
  const isFine = request.socket.servername === "receiver.test" && request.headers.host.startsWith("receiver.test:");
  request.resume().on("end", () => response.writeHead(isFine ? 200 : 421).end());
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"#;

/// The server, and its port.
struct Secure(Child, String);

impl Secure {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new("node");
        command.args(["-e", SERVER]).env("TLS_FOLDER", folder).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node is missing");
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self(child, port.trim().to_owned())
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait(); // so that no zombie is left
    }
}

/// Makes `ca.pem`, and with it the certificate of `receiver.test`.
fn certificates(folder: &Path) {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        command.current_dir(folder).args(["req", "-x509"]).args(key).args(arguments);
        let output = command.output().expect("openssl is missing");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    openssl(&["-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"]);
    let of_server = "subjectAltName=DNS:receiver.test";
    let of_leaf = "basicConstraints=critical,CA:FALSE";
    let signed =
        ["-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "server.key", "-out", "server.pem"];
    let named = ["-subj", "/CN=server", "-addext", of_server, "-addext", of_leaf];
    openssl(&[&named[..], &signed].concat());
}

#[test]
fn a_receiver_with_tls_has_to_be_who_it_says() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let server = Secure::start(folder.path());
    let dns = Dns::start(|_, _| Some(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]));
    let names = Nameservers::Listed(vec![dns.address]);
    let pem = std::fs::read(folder.path().join("ca.pem")).unwrap();
    let known = way_with(&names, &Authorities::parse(&pem).unwrap());
    let url = |name: &str| format!("https://{name}:{}/hook", server.1);
    assert_eq!(known.post(&url("receiver.test")), answered(200));
    let failed = Outcome::Unreachable(Fault::Connection);
    // The certificate is for another name; and nobody vouches for it.
    assert_eq!(known.post(&url("another.test")), failed);
    assert_eq!(way_with(&names, &Authorities::default()).post(&url("receiver.test")), failed);
}
