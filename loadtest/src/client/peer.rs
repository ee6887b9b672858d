//! Servers that are not ours: Pusher's protocol, events of Socket.IO, and texts from templates.

use super::doorway::{Handshake, Until};
use super::native::Protocol;
use super::request::{Template, payload};
use super::socketio::{self, frame};
use crate::pace::unix_seconds;
use protocol::auth::vendor::{PusherKeys, RestCall};
use protocol::client::{Target, write_percent_encoded, write_post, write_upgrade};
use serde_json::json;
use std::fmt;

/// What each server wants to be told.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// One of ours, which needs no telling.
    Ours,
    /// Public channels of an app.
    Pusher(App),
    /// Events that subscribe and publish.
    SocketIo { subscribe: String, publish: String },
    /// Templates.
    Raw(Templates),
    /// A protocol without WebSockets.
    Native(Protocol),
}

/// An app of Pusher's.
#[derive(Clone)]
pub(crate) struct App {
    /// Its id, in the path of publishes.
    pub(crate) id: String,
    /// Its key and its secret.
    pub(crate) keys: PusherKeys,
}

impl fmt::Debug for App {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("App").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How a server of one's own is spoken to. `{channel}` and `{payload}` stand for what they say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Templates {
    /// Path and query of the WebSocket.
    pub(crate) path: String,
    /// What a connection says to hear a channel.
    pub(crate) subscribe: Option<String>,
    /// A part of the message that says that it does.
    pub(crate) subscribed: Option<String>,
    /// A publish: a text, or the body of a request.
    pub(crate) publish: String,
    /// Where bodies are posted to; `{channel}` may stand in it.
    pub(crate) publish_path: Option<String>,
}

impl Peer {
    /// The way of a connection into a channel; `None` on a server of ours.
    pub(crate) fn handshake(
        &self,
        host: &str,
        channel: &str,
        nonce: [u8; 16],
    ) -> Option<Handshake> {
        let upgrade = |path: &str| {
            let mut request = Vec::new();
            write_upgrade(&mut request, &Target { host, path, bearer: None }, nonce);
            Handshake::of(request)
        };
        match self {
            Self::Ours => None,
            Self::Native(protocol) => {
                Some(Handshake::of([protocol.hello(), protocol.subscribe(channel)].concat()))
            }
            Self::Pusher(App { keys, .. }) => {
                let path = format!("/app/{}?protocol=7&client=bench&version=1", keys.key());
                let say = json!({ "event": "pusher:subscribe", "data": { "channel": channel } });
                let greeted = frame(&say.to_string()).into();
                Some(Handshake { greeted, ..upgrade(&path) })
            }
            Self::SocketIo { subscribe, .. } => {
                let greeted = socketio::connect_plainly().into();
                let let_in = socketio::join(subscribe, channel).into();
                let way = upgrade("/socket.io/?EIO=4&transport=websocket");
                Some(Handshake { greeted, let_in, ..way })
            }
            Self::Raw(templates) => {
                let mut name = String::new();
                write_percent_encoded(&mut name, channel);
                let way = upgrade(&templates.path.replace("{channel}", &name));
                let say = templates.subscribe.as_ref();
                let first = say.map(|text| frame(&text.replace("{channel}", channel)));
                let until = match templates.subscribed {
                    Some(_) => Until::Confirmed,
                    None => Until::Said,
                };
                Some(Handshake { first: first.unwrap_or_default().into(), until, ..way })
            }
        }
    }

    /// A publish on a WebSocket; `None` where nothing is published so.
    pub(crate) fn on_socket(&self, channel: &str, payload_bytes: usize) -> Option<Template> {
        match self {
            Self::Ours | Self::Pusher(_) | Self::Native(Protocol::Redis) => None,
            Self::Native(protocol) => Some(protocol.template(channel, payload_bytes)),
            Self::SocketIo { publish, .. } => {
                Some(Template::frame(socketio::tell(publish, channel, &payload(payload_bytes))))
            }
            Self::Raw(templates) => {
                Some(Template::frame(frame(&templates.filled(channel, payload_bytes))))
            }
        }
    }

    /// A publish over HTTP; `None` where nothing is published so.
    pub(crate) fn over_http(
        &self,
        host: &str,
        channel: &str,
        payload_bytes: usize,
    ) -> Option<Template> {
        let post = |path: &str, body: &str| {
            let mut bytes = Vec::new();
            write_post(&mut bytes, &Target { host, path, bearer: None }, body.as_bytes());
            bytes
        };
        match self {
            Self::Ours | Self::SocketIo { .. } => None,
            Self::Native(protocol) => {
                protocol.answers_publishes().then(|| protocol.template(channel, payload_bytes))
            }
            Self::Pusher(app) => {
                let data = payload(payload_bytes);
                let data = String::from_utf8_lossy(&data);
                let channel = json!(channel);
                let body = format!(r#"{{"name":"message","channel":{channel},"data":{data}}}"#);
                let signer = Signer { path: format!("/apps/{}/events", app.id), app: app.clone() };
                let query = signer.query(body.as_bytes());
                let bytes = post(&format!("{}?{query}", signer.path), &body);
                Some(Template::signed(bytes, signer))
            }
            Self::Raw(templates) => {
                let mut name = String::new();
                write_percent_encoded(&mut name, channel);
                let path = templates.publish_path.as_ref()?.replace("{channel}", &name);
                let body = templates.filled(channel, payload_bytes);
                Some(Template::request(post(&path, &body)))
            }
        }
    }

    /// What confirms subscriptions where that is a template's affair.
    pub(crate) fn subscribed(&self) -> Option<String> {
        match self {
            Self::Raw(templates) => templates.subscribed.clone(),
            Self::Ours | Self::Pusher(_) | Self::SocketIo { .. } | Self::Native(_) => None,
        }
    }

    /// Whether nobody says when a subscription stands.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Raw(Templates { subscribed: None, .. }))
    }
}

impl Templates {
    fn filled(&self, channel: &str, payload_bytes: usize) -> String {
        let payload = payload(payload_bytes);
        let payload = String::from_utf8_lossy(&payload);
        let bare = payload.trim_matches('"');
        self.publish.replace("{channel}", channel).replace("{payload}", bare)
    }
}

/// Signs a request to Pusher's HTTP API: the query holds the body's MD5, so that each has its own.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    path: String,
    app: App,
}

impl Signer {
    fn query(&self, body: &[u8]) -> String {
        let timestamp_s = unix_seconds();
        self.app.keys.sign_rest(&RestCall {
            method: "POST",
            path: &self.path,
            params: &[],
            body,
            timestamp_s,
        })
    }

    /// Puts another signature over that of a request: queries are equally long for 250 years.
    pub(crate) fn sign(&self, request: &mut [u8]) {
        let body_at = request.windows(4).position(|window| window == b"\r\n\r\n");
        let body = body_at.and_then(|at| request.get(at + 4..)).unwrap_or_default();
        let query = self.query(body);
        let query_at = b"POST ".len() + self.path.len() + b"?".len();
        if let Some(place) = request.get_mut(query_at..query_at + query.len()) {
            place.copy_from_slice(query.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::stamp::Stamp;

    #[test]
    fn a_request_to_pusher_is_signed_for_its_own_body() {
        let keys = PusherKeys::new("key", "secret", None).unwrap();
        let peer = Peer::Pusher(App { id: "7".into(), keys: keys.clone() });
        let template = peer.over_http("h:1", "bench-1", 64).unwrap();
        let mut out = Vec::new();
        template.append(&mut out, &Stamp::new(1, 2, 3, 4), [0; 4]);
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let query = head.split(['?', ' ']).nth(2).unwrap();
        let field = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap()
        };
        assert_eq!(field("body_md5"), protocol::auth::vendor::body_md5(body.as_bytes()));
        let timestamp_s = field("auth_timestamp").parse().unwrap();
        let path = "/apps/7/events";
        let call =
            RestCall { method: "POST", path, params: &[], body: body.as_bytes(), timestamp_s };
        assert_eq!(keys.sign_rest(&call), query);
        let value: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(value["data"].as_str().unwrap().len(), 62);
    }

    #[test]
    fn a_template_has_its_blanks_filled() {
        let templates = Templates {
            path: "/ws?c={channel}".into(),
            subscribe: Some("SUB {channel}".into()),
            publish: r#"{"to":"{channel}","x":"{payload}"}"#.into(),
            publish_path: Some("/pub/{channel}".into()),
            ..Templates::default()
        };
        let peer = Peer::Raw(templates);
        let way = peer.handshake("h:1", "bench:1", [0; 16]).unwrap();
        let upgrade = String::from_utf8_lossy(&way.upgrade).into_owned();
        assert!(upgrade.starts_with("GET /ws?c=bench%3A1 HTTP/1.1\r\n"), "{upgrade}");
        assert_eq!(way.until, Until::Said);
        let mut out = Vec::new();
        let stamp = Stamp::new(1, 2, 3, 4);
        peer.over_http("h:1", "bench:1", 40).unwrap().append(&mut out, &stamp, [0; 4]);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("POST /pub/bench%3A1 HTTP/1.1\r\n"), "{text}");
        let body: serde_json::Value =
            serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body["to"], "bench:1");
        assert_eq!(body["x"].as_str().unwrap().len(), 38);
    }
}
