//! Two tenants, and the ways in which each calls.

use serde_json::{Value, json};

use super::super::node::Node;
use super::super::server::Server;
use super::super::tools::{Answer, curl};

pub(super) const ONE: Keys = Keys { digit: '1', name: "one" };
pub(super) const TWO: Keys = Keys { digit: '2', name: "two" };

/// The keys of a tenant.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    digit: char,
    name: &'static str,
}

/// Whose credential a call has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Door {
    /// Nobody's.
    Open,
    /// The application key, in the URL.
    Edge,
    /// The management key.
    Manage,
    /// The project key.
    Infrai,
    /// The API key, to the tenant's host.
    Insforge,
}

/// One call.
pub(super) struct Call {
    pub(super) door: Door,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Option<String>,
}

/// A call without a body.
pub(super) fn bare(door: Door, method: &'static str, path: &str) -> Call {
    Call { door, method, path: path.to_owned(), body: None }
}

/// A call with one.
pub(super) fn full(door: Door, method: &'static str, path: &str, body: &Value) -> Call {
    Call { body: Some(body.to_string()), ..bare(door, method, path) }
}

impl Keys {
    fn tail(self, prefix: &str, length: usize) -> String {
        format!("{prefix}{}", self.digit.to_string().repeat(length))
    }

    fn of(self, prefix: &str) -> String {
        self.tail(prefix, 20)
    }

    pub(super) fn secret(self) -> String {
        self.tail("", 64)
    }

    pub(super) fn anon_key(self) -> String {
        self.tail("anon_", 64)
    }

    /// What nobody else may ever read.
    pub(super) fn secrets(self) -> Vec<String> {
        ["coh_app_", "coh_man_", "ifr_pk_proj_", "ik_", "anon_", "sk_", "app.id:"]
            .map(|it| self.of(it))
            .into_iter()
            .chain([self.secret()])
            .collect()
    }

    /// Its part of the configuration. Its signing secret is the same on every node.
    pub(super) fn config(self) -> String {
        let (name, secret) = (self.name, self.secret());
        format!(
            "[[tenant]]\nname = \"{name}\"\nsigning_secret = \"{secret}\"\n\
             [tenant.cohesivity]\napplication_key = \"{}\"\nmanagement_key = \"{}\"\n\
             [tenant.infrai]\nproject_key = \"{}\"\n\
             [tenant.insforge]\napi_key = \"{}\"\nanon_key = \"{}\"\njwt_secret = \"{secret}\"\n\
             hosts = [\"{name}.example\"]\n\
             [tenant.pusher]\napp_id = \"{name}\"\nkey = \"{name}\"\nsecret = \"{secret}\"\n\
             [tenant.ably]\nkey = \"{}\"\n",
            self.of("coh_app_"),
            self.of("coh_man_"),
            self.of("ifr_pk_proj_"),
            self.tail("ik_", 64),
            self.anon_key(),
            self.of("app.id:"),
        )
    }

    /// A vendor that it alone has.
    pub(super) fn liveblocks(self) -> String {
        let key = self.of("sk_");
        format!("[tenant.liveblocks]\nsecret_key = \"{key}\"\nbase_url = \"http://127.0.0.1:9\"\n")
    }

    pub(super) fn project(self, node: &Node) -> Server<'_> {
        Server::with(node, &self.of("ifr_pk_proj_"))
    }

    /// Makes a call with its keys.
    pub(super) fn call(self, node: &Node, call: &Call) -> Answer {
        let Call { door, method, path, body } = call;
        let mut url = node.url(path);
        let mut headers = Vec::new();
        match door {
            Door::Open => {}
            Door::Edge => {
                let join = if path.contains('?') { '&' } else { '?' };
                url = format!("{url}{join}key={}", self.of("coh_app_"));
            }
            Door::Manage => headers.push(format!("Authorization: Bearer {}", self.of("coh_man_"))),
            Door::Infrai => {
                headers.push(format!("Authorization: Bearer {}", self.of("ifr_pk_proj_")));
            }
            Door::Insforge => {
                headers.push(format!("X-API-Key: {}", self.tail("ik_", 64)));
                headers.push(format!("Host: {}.example", self.name));
            }
        }
        let mut arguments = vec!["-X", method, &url];
        headers.iter().for_each(|it| arguments.extend(["-H", it]));
        if let Some(body) = body {
            arguments.extend(["--json", body]);
        }
        curl(&arguments)
    }

    /// A token of its Cohesivity users.
    pub(super) fn edge_token(self, node: &Node, user: &str) -> String {
        let user = json!({"user_id": user, "name": format!("{user}-of-{}", self.name)});
        let answer = self.call(node, &full(Door::Edge, "POST", "/edge/realtime/token", &user));
        answer.json()["token"].as_str().unwrap().to_owned()
    }
}
