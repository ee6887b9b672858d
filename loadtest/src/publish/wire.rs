//! The requests that publish, in the server's dialects.

use crate::client::request::Endpoint;
use clap::ValueEnum;
use protocol::client::{Target, write_post};

/// What the server is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// POST /edge/realtime, one message a request. The key: coh_app_….
    Cohesivity,
    /// POST /v1/realtime/publish and publish/batch. The key: ifr_pk_….
    Infrai,
}

/// Writes requests.
pub(crate) struct Wire {
    host: String,
    bearer: Option<String>,
    one: String,
    many: String,
}

impl Wire {
    /// For a server.
    pub(crate) fn new(dialect: Dialect, endpoint: &Endpoint) -> Self {
        let host = endpoint.host.clone();
        match dialect {
            Dialect::Cohesivity => {
                let path = endpoint.path_with_key("/edge/realtime");
                Self { host, bearer: None, one: path, many: String::new() }
            }
            Dialect::Infrai => Self {
                host,
                bearer: Some(endpoint.key.clone()),
                one: "/v1/realtime/publish".to_owned(),
                many: "/v1/realtime/publish/batch".to_owned(),
            },
        }
    }

    /// Appends the request for one message.
    pub(super) fn one(&self, out: &mut Vec<u8>, body: &[u8]) {
        write_post(out, &self.target(&self.one), body);
    }

    /// Appends the request for messages that are taken together or not at all.
    pub(super) fn many<'a>(&self, out: &mut Vec<u8>, bodies: impl Iterator<Item = &'a [u8]>) {
        let mut body = b"{\"messages\":[".to_vec();
        for (index, message) in bodies.enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(message);
        }
        body.extend_from_slice(b"]}");
        write_post(out, &self.target(&self.many), &body);
    }

    fn target<'a>(&'a self, path: &'a str) -> Target<'a> {
        Target { host: &self.host, path, bearer: self.bearer.as_deref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_has_its_own_door() {
        let endpoint = Endpoint { host: "h:1".into(), key: "k&y".into() };
        let mut out = Vec::new();
        Wire::new(Dialect::Cohesivity, &endpoint).one(&mut out, b"{}");
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("POST /edge/realtime?key=k%26y HTTP/1.1\r\n"), "{text}");
        assert!(!text.contains("Authorization"), "{text}");
        let infrai = Wire::new(Dialect::Infrai, &endpoint);
        let mut out = Vec::new();
        infrai.one(&mut out, b"{\"a\":1}");
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("POST /v1/realtime/publish HTTP/1.1\r\n"), "{text}");
        assert!(text.contains("\r\nAuthorization: Bearer k&y\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n{\"a\":1}"), "{text}");
        let mut out = Vec::new();
        infrai.many(&mut out, [&b"{\"a\":1}"[..], b"{}"].into_iter());
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("POST /v1/realtime/publish/batch HTTP/1.1\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n{\"messages\":[{\"a\":1},{}]}"), "{text}");
    }
}
