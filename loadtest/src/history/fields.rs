//! Events as JSON and back: one object a line, with the kind in `"is"`.

use super::event::{Begin, Channel, Event, Place, Shown};
use serde_json::{Map, Value, json};

impl Event {
    /// As a line says it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Started => json!({"is": "started"}),
            Self::Invoked { op, by, channel, message, digest, is_kept } => json!({
                "is": "invoked", "op": op, "by": by, "channel": name(channel), "message": message,
                "digest": digest, "kept": is_kept,
            }),
            Self::Accepted { op, id, place } => {
                json!({"is": "accepted", "op": op, "id": id, "place": place.map(pair)})
            }
            Self::Refused { op } => json!({"is": "refused", "op": op}),
            Self::Unknown { op } => json!({"is": "unknown", "op": op}),
            Self::Entering { session, token } => {
                json!({"is": "entering", "session": session, "token": token})
            }
            Self::Entered { session } => json!({"is": "entered", "session": session}),
            Self::Revoked { token } => json!({"is": "revoked", "token": token}),
            Self::Subscribing { sub, session, channel, after, member } => json!({
                "is": "subscribing", "sub": sub, "session": session, "channel": name(channel),
                "after": after.map(pair), "member": member,
            }),
            Self::Subscribed { sub, begin, members } => {
                let (begin, place) = begin_words(*begin);
                json!({"is": "subscribed", "sub": sub, "begin": begin, "place": place.map(pair), "members": members})
            }
            Self::Recovered { sub } => json!({"is": "recovered", "sub": sub}),
            Self::Delivered { sub, shown } => {
                json!({"is": "delivered", "sub": sub, "shown": row(shown)})
            }
            Self::Joined { sub, member } => json!({"is": "joined", "sub": sub, "member": member}),
            Self::Left { sub, member } => json!({"is": "left", "sub": sub, "member": member}),
            Self::Ended { sub } => json!({"is": "ended", "sub": sub}),
            Self::Reading { read, channel, after } => {
                json!({"is": "reading", "read": read, "channel": name(channel), "after": pair(*after)})
            }
            Self::Read { read, rows, is_last } => {
                let rows: Vec<_> = rows.iter().map(row).collect();
                json!({"is": "read", "read": read, "rows": rows, "last": is_last})
            }
            Self::Quiet => json!({"is": "quiet"}),
            Self::Present { channel, members } => {
                json!({"is": "present", "channel": name(channel), "members": members})
            }
            Self::Kept { channel, shown } => {
                json!({"is": "kept", "channel": name(channel), "shown": row(shown)})
            }
        }
    }

    /// What a line says; `None` if it is none of ours.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        let at = Fields(value.as_object()?);
        let kind = at.text("is")?;
        let read = match kind.as_str() {
            "started" => Self::Started,
            "invoked" => Self::Invoked {
                op: at.number("op")?,
                by: at.number("by")?,
                channel: at.channel()?,
                message: at.number("message")?,
                digest: at.number("digest")?,
                is_kept: at.0.get("kept")?.as_bool()?,
            },
            "accepted" => {
                Self::Accepted { op: at.number("op")?, id: at.text("id"), place: at.place("place") }
            }
            "refused" => Self::Refused { op: at.number("op")? },
            "unknown" => Self::Unknown { op: at.number("op")? },
            "entering" | "entered" | "revoked" => Self::of_token(&kind, &at)?,
            "quiet" => Self::Quiet,
            "present" | "kept" | "reading" | "read" => Self::of_server(&kind, &at)?,
            _ => Self::of_subscription(&kind, &at)?,
        };
        Some(read)
    }

    fn of_token(kind: &str, at: &Fields<'_>) -> Option<Self> {
        let read = match kind {
            "entering" => {
                Self::Entering { session: at.number("session")?, token: at.number("token")? }
            }
            "entered" => Self::Entered { session: at.number("session")? },
            "revoked" => Self::Revoked { token: at.number("token")? },
            _ => return None,
        };
        Some(read)
    }

    fn of_server(kind: &str, at: &Fields<'_>) -> Option<Self> {
        let read = match kind {
            "present" => Self::Present { channel: at.channel()?, members: at.texts("members")? },
            "kept" => Self::Kept { channel: at.channel()?, shown: at.shown()? },
            "reading" => Self::Reading {
                read: at.number("read")?,
                channel: at.channel()?,
                after: at.place("after")?,
            },
            "read" => {
                let rows =
                    at.0.get("rows")?.as_array()?.iter().map(read_row).collect::<Option<_>>();
                let is_last = at.0.get("last")?.as_bool()?;
                Self::Read { read: at.number("read")?, rows: rows?, is_last }
            }
            _ => return None,
        };
        Some(read)
    }

    fn of_subscription(kind: &str, at: &Fields<'_>) -> Option<Self> {
        let sub = at.number("sub")?;
        let read = match kind {
            "subscribing" => Self::Subscribing {
                sub,
                session: at.number("session")?,
                channel: at.channel()?,
                after: at.place("after"),
                member: at.text("member"),
            },
            "subscribed" => {
                let begin = read_begin(&at.text("begin")?, at.place("place"))?;
                Self::Subscribed { sub, begin, members: at.texts("members") }
            }
            "recovered" => Self::Recovered { sub },
            "delivered" => Self::Delivered { sub, shown: at.shown()? },
            "joined" => Self::Joined { sub, member: at.text("member")? },
            "left" => Self::Left { sub, member: at.text("member")? },
            "ended" => Self::Ended { sub },
            _ => return None,
        };
        Some(read)
    }
}

struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn number(&self, key: &str) -> Option<u64> {
        self.0.get(key)?.as_u64()
    }

    fn text(&self, key: &str) -> Option<String> {
        Some(self.0.get(key)?.as_str()?.to_owned())
    }

    fn texts(&self, key: &str) -> Option<Vec<String>> {
        let items = self.0.get(key)?.as_array()?.iter();
        items.map(|it| Some(it.as_str()?.to_owned())).collect()
    }

    fn place(&self, key: &str) -> Option<Place> {
        read_pair(self.0.get(key)?)
    }

    fn channel(&self) -> Option<Channel> {
        match self.0.get("channel")?.as_array()?.as_slice() {
            [tenant, name] => {
                Some(Channel { tenant: tenant.as_str()?.into(), name: name.as_str()?.into() })
            }
            _ => None,
        }
    }

    fn shown(&self) -> Option<Shown> {
        read_row(self.0.get("shown")?)
    }
}

fn name(channel: &Channel) -> Value {
    json!([channel.tenant, channel.name])
}

fn pair(place: Place) -> Value {
    json!([place.epoch, place.offset])
}

fn read_pair(value: &Value) -> Option<Place> {
    match value.as_array()?.as_slice() {
        [epoch, offset] => Some(Place { epoch: epoch.as_u64()?, offset: offset.as_u64()? }),
        _ => None,
    }
}

/// Short, because most of a log is this.
fn row(shown: &Shown) -> Value {
    let Shown { message, digest, canary, id, place } = shown;
    json!([message, digest, canary, id, place.map(pair)])
}

fn read_row(value: &Value) -> Option<Shown> {
    match value.as_array()?.as_slice() {
        [message, digest, canary, id, place] => Some(Shown {
            message: message.as_u64()?,
            digest: digest.as_u64()?,
            canary: canary.as_str()?.to_owned(),
            id: id.as_str().map(str::to_owned),
            place: read_pair(place),
        }),
        _ => None,
    }
}

fn begin_words(begin: Begin) -> (&'static str, Option<Place>) {
    match begin {
        Begin::Fresh(place) => ("fresh", place),
        Begin::Resumed => ("resumed", None),
        Begin::Recovering => ("recovering", None),
        Begin::Gapped(place) => ("gapped", place),
    }
}

fn read_begin(word: &str, place: Option<Place>) -> Option<Begin> {
    match word {
        "fresh" => Some(Begin::Fresh(place)),
        "resumed" => Some(Begin::Resumed),
        "recovering" => Some(Begin::Recovering),
        "gapped" => Some(Begin::Gapped(place)),
        _ => None,
    }
}
