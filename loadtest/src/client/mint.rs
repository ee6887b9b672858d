//! Mints connection tokens and allows channels: plain blocking HTTP, before anything is measured.

use super::request::Endpoint;
use super::response;
use crate::failure::Failure;
use protocol::client::{Target, write_get, write_post};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
const TTL_SECONDS: u32 = 3600;
const RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// A keep-alive connection that asks for what a run needs.
#[derive(Debug)]
pub(crate) struct Mint<'a> {
    stream: TcpStream,
    endpoint: &'a Endpoint,
    path: String,
}

impl<'a> Mint<'a> {
    /// Connects to the server.
    pub(crate) fn connect(to: SocketAddr, endpoint: &'a Endpoint) -> Result<Self, Failure> {
        let cannot =
            |cause| Failure::Server(format!("cannot connect to the server at {to}: {cause}"));
        let stream = TcpStream::connect_timeout(&to, TIMEOUT).map_err(cannot)?;
        stream.set_nodelay(true).map_err(cannot)?;
        stream.set_read_timeout(Some(TIMEOUT)).map_err(cannot)?;
        Ok(Self { stream, endpoint, path: endpoint.path_with_key("/edge/realtime/token") })
    }

    /// A token for a user.
    pub(crate) fn token(&mut self, user: &str) -> Result<String, Failure> {
        let body = json!({ "user_id": user, "ttl": TTL_SECONDS }).to_string();
        let mut request = Vec::new();
        let target = Target { host: &self.endpoint.host, path: &self.path, bearer: None };
        write_post(&mut request, &target, body.as_bytes());
        let (status, body) = self.ask(&request)?;
        let token = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|answer| Some(answer.get("token")?.as_str()?.to_owned()));
        token.filter(|_| status == 200).ok_or_else(|| {
            let body = String::from_utf8_lossy(&body);
            Failure::Server(format!("no token from the server: status {status}, {body}"))
        })
    }

    /// A token for a client of Infrai.
    pub(crate) fn infrai_token(&mut self, user: &str, key: &str) -> Result<String, Failure> {
        let capabilities = ["subscribe", "publish", "presence", "history"];
        let body = json!({ "client_id": user, "capabilities": capabilities }).to_string();
        let mut request = Vec::new();
        let path = "/v1/realtime/token/issue";
        let target = Target { host: &self.endpoint.host, path, bearer: Some(key) };
        write_post(&mut request, &target, body.as_bytes());
        let (_, body) = self.ask(&request)?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let token = answer.pointer("/data/token").and_then(Value::as_str).map(str::to_owned);
        token.ok_or_else(|| {
            let body = String::from_utf8_lossy(&body);
            Failure::Server(format!("no token from the server: {body}"))
        })
    }

    /// What the server says of itself.
    pub(crate) fn version(&mut self) -> Result<Value, Failure> {
        let mut request = Vec::new();
        write_get(
            &mut request,
            &Target { host: &self.endpoint.host, path: "/version", bearer: None },
        );
        let (_, body) = self.ask(&request)?;
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Allows the channels that match a pattern, unless they are allowed already.
    pub(crate) fn allow(&mut self, pattern: &str, api_key: &str) -> Result<(), Failure> {
        let body = json!({ "pattern": pattern }).to_string();
        let mut request = Vec::new();
        let path = "/api/realtime/channels";
        let target = Target { host: &self.endpoint.host, path, bearer: Some(api_key) };
        write_post(&mut request, &target, body.as_bytes());
        match self.ask(&request)? {
            // Created, or there already.
            (201 | 409, _) => Ok(()),
            (status, body) => {
                let body = String::from_utf8_lossy(&body);
                let what =
                    format!("channels like {pattern} are not allowed: status {status}, {body}");
                Err(Failure::Server(what))
            }
        }
    }

    fn ask(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>), Failure> {
        self.stream.write_all(request).map_err(Failure::io("cannot ask the server"))?;
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        while bytes.len() < RESPONSE_BYTES_MAX {
            let response = response::first(&bytes)
                .map_err(|_| Failure::Server("the answer to a request is not HTTP".into()))?;
            if let Some(response) = response {
                return Ok((response.status, response.body.to_vec()));
            }
            let count =
                self.stream.read(&mut piece).map_err(Failure::io("no answer to a request"))?;
            let Some(new) = piece.get(..count).filter(|new| !new.is_empty()) else {
                return Err(Failure::Server("the server closed while it was asked".into()));
            };
            bytes.extend_from_slice(new);
        }
        Err(Failure::Server("the answer to a request is too long".into()))
    }
}
