//! What a server asks to be deleted, and what it publishes right before.

use protocol::Keep;

use crate::checker::Truth;
use crate::clients::{Asked, HttpClient};
use crate::keys::{api_key, management_key, project_key};
use crate::scene::Scene;

impl HttpClient {
    /// Deletes messages, a channel, or all that the tenant has.
    pub fn drop_something(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        match scene.random.below(4) {
            0 => self.drop_resource(out, scene),
            1 => {
                let key = api_key(self.key.0);
                write_bare(out, "DELETE", "/api/realtime/messages", &key, "");
                self.asked.push_back(Asked::Drop(scene.truth.doom_kept(self.key.0)));
            }
            _ => self.drop_channel(out, scene),
        }
    }

    /// Gives the resource up, and all messages with it.
    pub fn drop_resource(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let bearer = management_key(&self.key);
        // What it publishes right before is on its way when the messages go.
        (0..scene.random.below(6)).for_each(|_| self.publish(out, scene, Keep::Persist));
        write_bare(out, "DELETE", "/api/resources/realtime", &bearer, "");
        let doom = scene.truth.doom(self.key.0, None, self.unanswered(scene.truth));
        self.asked.push_back(Asked::Drop(doom));
    }

    /// What it has published and heard nothing of, to be kept.
    fn unanswered(&self, truth: &Truth) -> Vec<usize> {
        let kept = |it: &Asked| match it {
            Asked::Publish(number) if truth.issued[*number].keep == Keep::Persist => Some(*number),
            Asked::Publish(_)
            | Asked::PublishTo(_)
            | Asked::PublishKeyed(_)
            | Asked::Retry(_)
            | Asked::List
            | Asked::History(_)
            | Asked::Drop(_)
            | Asked::Provision
            | Asked::Create
            | Asked::Nonsense => None,
        };
        self.asked.iter().filter_map(kept).collect()
    }

    /// Deletes its channel, which it may have registered itself.
    fn drop_channel(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let path = format!("/v1/realtime/channels/{}", self.key.1);
        (0..scene.random.below(6)).for_each(|_| self.publish(out, scene, Keep::Persist));
        let bearer = project_key(&self.key);
        if scene.random.permille(700) {
            let name = format!("{{\"name\":\"{}\"}}", self.key.1);
            write_bare(out, "POST", "/v1/realtime/channels", &bearer, &name);
            self.asked.push_back(Asked::Create);
        }
        write_bare(out, "DELETE", &path, &bearer, "");
        let own = self.unanswered(scene.truth);
        let doom = scene.truth.doom(self.key.0, Some(self.key.1.clone()), own);
        self.asked.push_back(Asked::Drop(doom));
    }

    /// Asks for the resource.
    pub fn provision(&mut self, out: &mut Vec<u8>) {
        write_bare(out, "POST", "/api/resources/realtime", &management_key(&self.key), "");
        self.asked.push_back(Asked::Provision);
    }
}

/// A request with a key in its head.
pub fn write_bare(out: &mut Vec<u8>, method: &str, path: &str, bearer: &str, body: &str) {
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: stentor\r\nAuthorization: Bearer {bearer}\r\n");
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
}
