//! Looking at the endpoints of webhooks and at their dead letters, and trying these again.

use protocol::uuid_text;
use serde_json::{Value, json};

use super::roster::{Roster, text};
use super::{Refused, WebhookAsk, WebhookSaid, World};
use crate::ids::TenantId;
use crate::side::webhook::{EndpointKey, EndpointStatus, Letter, time_text};

/// Dead letters that are listed at once.
const LISTED_MAX: usize = 100;

impl Roster {
    pub(super) fn list_webhooks(
        &self,
        ask: &Value,
        world: &mut dyn World,
        now_ms: u64,
    ) -> Result<Value, Refused> {
        let wanted = ask.get("tenant").and_then(Value::as_str);
        if let Some(name) = wanted {
            self.id_of(name)?;
        }
        let specs = self.specs(now_ms).into_iter();
        let mut all = Vec::new();
        for spec in specs.filter(|it| wanted.is_none_or(|wanted| wanted == it.name)) {
            let found = status(world, spec.id)?;
            all.extend(found.iter().map(|it| endpoint_text(&spec.name, it)));
        }
        Ok(Value::Array(all))
    }

    pub(super) fn list_letters(
        &self,
        ask: &Value,
        world: &mut dyn World,
        now_ms: u64,
    ) -> Result<Value, Refused> {
        let of = self.endpoint(ask, world, now_ms)?;
        let after = ask.get("after").and_then(Value::as_u64).unwrap_or(0);
        let letters = letters(world, &of, after)?;
        Ok(Value::Array(letters.iter().map(letter_text).collect()))
    }

    pub(super) fn replay(
        &self,
        ask: &Value,
        world: &mut dyn World,
        now_ms: u64,
    ) -> Result<Value, Refused> {
        let of = self.endpoint(ask, world, now_ms)?;
        let Some(named) = ask.get("letters").and_then(Value::as_array) else {
            return replay_all(world, &of);
        };
        let numbers = named.iter().filter_map(Value::as_u64);
        for (done, number) in numbers.enumerate() {
            world.webhooks(WebhookAsk::Replay(of.clone(), number)).map_err(|it| {
                let message = format!("letter {number}: {} ({done} before it go out)", it.message);
                Refused { message, ..it }
            })?;
        }
        Ok(json!({"replayed": named.len(), "refused": Value::Null}))
    }

    /// The endpoint that an ask names by its URL, and by its pattern where several patterns have the same.
    fn endpoint(
        &self,
        ask: &Value,
        world: &mut dyn World,
        now_ms: u64,
    ) -> Result<EndpointKey, Refused> {
        let tenant = self.only_or(ask.get("tenant").and_then(Value::as_str), now_ms)?;
        let url = text(ask, "url")?;
        let pattern = ask.get("pattern").and_then(Value::as_str);
        let all = status(world, self.id_of(&tenant)?)?;
        let is_it = |it: &&EndpointStatus| {
            let is_its = pattern.is_none_or(|pattern| *it.endpoint.hook == *pattern);
            is_its && *it.endpoint.url == *url
        };
        let found: Vec<_> = all.iter().filter(is_it).map(|it| it.endpoint.clone()).collect();
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(Refused::asked(format!(
                "tenant \"{tenant}\" has no webhook {url}; `stentor webhook list` shows those there are"
            ))),
            several => {
                let ids = several.iter().map(|it| &*it.hook).collect::<Vec<_>>().join(", ");
                Err(Refused::asked(format!(
                    "several patterns have this URL: --pattern must name one of {ids}"
                )))
            }
        }
    }
}

fn status(world: &mut dyn World, tenant: TenantId) -> Result<Vec<EndpointStatus>, Refused> {
    match world.webhooks(WebhookAsk::Status(tenant))? {
        WebhookSaid::Status(all) => Ok(all),
        WebhookSaid::Letters(_) | WebhookSaid::Taken => Err(strange()),
    }
}

fn letters(world: &mut dyn World, of: &EndpointKey, after: u64) -> Result<Vec<Letter>, Refused> {
    match world.webhooks(WebhookAsk::Letters(of.clone(), after, LISTED_MAX))? {
        WebhookSaid::Letters(letters) => Ok(letters),
        WebhookSaid::Status(_) | WebhookSaid::Taken => Err(strange()),
    }
}

/// Tries as many as may wait at once; those without a message cannot be tried.
fn replay_all(world: &mut dyn World, of: &EndpointKey) -> Result<Value, Refused> {
    let (mut after, mut replayed) = (0, 0);
    loop {
        let some = letters(world, of, after)?;
        let Some(last) = some.last() else {
            return Ok(json!({"replayed": replayed, "refused": Value::Null}));
        };
        after = last.id;
        for letter in some.iter().filter(|it| it.message.is_some()) {
            match world.webhooks(WebhookAsk::Replay(of.clone(), letter.id)) {
                Ok(_) => replayed += 1,
                Err(why) if replayed == 0 => return Err(why),
                Err(why) => return Ok(json!({"replayed": replayed, "refused": why.message})),
            }
        }
    }
}

fn strange() -> Refused {
    Refused::away("webhooks answer something else")
}

fn endpoint_text(tenant: &str, it: &EndpointStatus) -> Value {
    json!({
        "tenant": tenant,
        "pattern": &*it.endpoint.hook,
        "url": &*it.endpoint.url,
        "left_alone": it.is_open,
        "in_flight": it.in_flight,
        "letters": it.letters,
        "letters_dropped": it.letters_dropped,
    })
}

fn letter_text(it: &Letter) -> Value {
    let message = it.message.as_ref().map(|it| {
        json!({
            "id": uuid_text(it.id),
            "channel": it.channel,
            "event": it.event,
            "at": time_text(it.at_ms),
        })
    });
    json!({
        "letter": it.id,
        "reason": it.reason.to_string(),
        "attempts": it.attempts,
        "died_at": time_text(it.died_at_ms),
        "message": message,
    })
}
