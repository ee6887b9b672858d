//! Packets of a client: type, attachments, namespace, id, JSON.

use std::fmt;

use super::ROOT;
use crate::command::FrameId;

/// Binary messages that may follow one packet.
pub const ATTACHMENTS_MAX: u32 = 10;
/// Bytes of a namespace.
pub const NAMESPACE_BYTES_MAX: usize = 128;

/// Digits of an id; more than these, and a client would not count exactly.
const ID_DIGITS_MAX: usize = 15;

/// What a packet is. JSON is not read yet.
#[derive(Debug, Eq, PartialEq)]
pub enum Packet<'a> {
    /// The client wants to use a namespace.
    Connect {
        /// Which one.
        namespace: &'a str,
        /// What it authenticates with.
        auth: Option<&'a mut [u8]>,
    },
    /// The client uses a namespace no more.
    Disconnect {
        /// Which one.
        namespace: &'a str,
    },
    /// Something happens.
    Event {
        /// Where.
        namespace: &'a str,
        /// The id that the answer has to carry, if one is awaited.
        id: Option<FrameId<'a>>,
        /// Name and arguments: an array.
        arguments: &'a mut [u8],
    },
    /// The answer to an event. This node asks for none.
    Acknowledgement {
        /// Where.
        namespace: &'a str,
    },
    /// An event or an answer with bytes, which follow as binary messages.
    Binary {
        /// Where.
        namespace: &'a str,
        /// The id that the answer has to carry, if one is awaited.
        id: Option<FrameId<'a>>,
        /// How many binary messages follow.
        attachments: u32,
        /// Name and arguments of an event; `None` for an answer.
        arguments: Option<&'a mut [u8]>,
    },
}

/// A packet that is none. The reference server closes the session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PacketFault {
    /// Its first character means nothing, or nothing from a client.
    Type,
    /// The number of attachments is missing, or too large.
    Attachments,
    /// The namespace is too long.
    Namespace,
    /// The id has too many digits.
    Id,
    /// The JSON is missing, or there where none may be.
    Payload,
}

impl fmt::Display for PacketFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type => f.write_str("unknown packet type"),
            Self::Attachments => write!(f, "illegal attachments: at most {ATTACHMENTS_MAX}"),
            Self::Namespace => write!(f, "namespace over {NAMESPACE_BYTES_MAX} bytes"),
            Self::Id => write!(f, "packet id over {ID_DIGITS_MAX} digits"),
            Self::Payload => f.write_str("invalid payload"),
        }
    }
}

/// Reads the message of an Engine.IO packet. The bytes are UTF-8.
///
/// # Errors
/// When it is no packet.
pub fn decode_packet(text: &mut [u8]) -> Result<Packet<'_>, PacketFault> {
    let (kind, rest) = text.split_first_mut().ok_or(PacketFault::Type)?;
    let (attachments, rest) = match kind {
        b'5' | b'6' => attachments(rest)?,
        _ => (0, rest),
    };
    let (namespace, rest) = namespace(rest)?;
    let (id, rest) = id(rest)?;
    match (kind, rest) {
        (b'0', []) => Ok(Packet::Connect { namespace, auth: None }),
        (b'0', auth @ [b'{', ..]) => Ok(Packet::Connect { namespace, auth: Some(auth) }),
        (b'1', []) => Ok(Packet::Disconnect { namespace }),
        (b'2', arguments @ [b'[', ..]) => Ok(Packet::Event { namespace, id, arguments }),
        (b'3', [b'[', ..]) => Ok(Packet::Acknowledgement { namespace }),
        (b'5', arguments @ [b'[', ..]) => {
            Ok(Packet::Binary { namespace, id, attachments, arguments: Some(arguments) })
        }
        (b'6', [b'[', ..]) => Ok(Packet::Binary { namespace, id, attachments, arguments: None }),
        (b'0'..=b'3' | b'5' | b'6', _) => Err(PacketFault::Payload),
        _ => Err(PacketFault::Type),
    }
}

/// `2-`: how many binary messages follow.
fn attachments(rest: &mut [u8]) -> Result<(u32, &mut [u8]), PacketFault> {
    let end = rest.iter().take(4).position(|it| *it == b'-').ok_or(PacketFault::Attachments)?;
    let (digits, rest) = rest.split_at_mut(end);
    let count = text(digits).filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
    let count = count.and_then(|it| it.parse().ok()).filter(|it| *it <= ATTACHMENTS_MAX);
    let rest = rest.get_mut(1..).ok_or(PacketFault::Attachments)?;
    Ok((count.ok_or(PacketFault::Attachments)?, rest))
}

/// `/name,`, or nothing for [`ROOT`].
fn namespace(rest: &mut [u8]) -> Result<(&str, &mut [u8]), PacketFault> {
    if rest.first() != Some(&b'/') {
        return Ok((ROOT, rest));
    }
    let end = rest.iter().position(|it| *it == b',').unwrap_or(rest.len());
    if end > NAMESPACE_BYTES_MAX {
        return Err(PacketFault::Namespace);
    }
    let (name, rest) = rest.split_at_mut(end);
    let name = text(name).ok_or(PacketFault::Namespace)?;
    Ok((name, rest.get_mut(1..).unwrap_or_default()))
}

/// Digits, if there are any.
fn id(rest: &mut [u8]) -> Result<(Option<FrameId<'_>>, &mut [u8]), PacketFault> {
    let end = rest.iter().position(|it| !it.is_ascii_digit()).unwrap_or(rest.len());
    if end > ID_DIGITS_MAX {
        return Err(PacketFault::Id);
    }
    let (digits, rest) = rest.split_at_mut(end);
    let digits = text(digits).unwrap_or_default();
    // JSON has no leading zeros, and a client takes the number for the same.
    let number = match digits.trim_start_matches('0') {
        "" => digits.get(..digits.len().min(1)).unwrap_or_default(),
        number => number,
    };
    Ok(((!number.is_empty()).then(|| FrameId::of_json(number)), rest))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, PacketFault>) {
        let mut bytes = text.as_bytes().to_vec();
        let shown = decode_packet(&mut bytes).map(|packet| {
            let json = |it: &mut [u8]| String::from_utf8(it.to_vec()).unwrap();
            let id = |it: Option<FrameId<'_>>| {
                it.map_or_else(|| "-".to_owned(), |it| it.as_json().into())
            };
            match packet {
                Packet::Connect { namespace, auth } => {
                    format!("connect {namespace} {}", auth.map_or_else(|| "-".to_owned(), json))
                }
                Packet::Disconnect { namespace } => format!("disconnect {namespace}"),
                Packet::Event { namespace, id: of, arguments } => {
                    format!("event {namespace} {} {}", id(of), json(arguments))
                }
                Packet::Acknowledgement { namespace } => format!("answer {namespace}"),
                Packet::Binary { namespace, id: of, attachments, arguments } => format!(
                    "binary {namespace} {} {attachments} {}",
                    id(of),
                    arguments.map_or_else(|| "-".to_owned(), json)
                ),
            }
        });
        assert_eq!(shown.as_deref().map_err(|it| *it), expected, "{text}");
    }

    #[test]
    fn packets_have_a_grammar() {
        check("0", Ok("connect / -"));
        check(r#"0{"token":"x"}"#, Ok(r#"connect / {"token":"x"}"#));
        check("0/admin,{}", Ok("connect /admin {}"));
        check("0/admin", Ok("connect /admin -"));
        check("0/,{}", Ok("connect / {}"));
        check("1", Ok("disconnect /"));
        check("1/admin,", Ok("disconnect /admin"));
        check(r#"2["a",1]"#, Ok(r#"event / - ["a",1]"#));
        check(r#"20["a"]"#, Ok(r#"event / 0 ["a"]"#));
        check(r#"2012["a"]"#, Ok(r#"event / 12 ["a"]"#));
        check(r#"200["a"]"#, Ok(r#"event / 0 ["a"]"#));
        check(r#"2/admin,13["a"]"#, Ok(r#"event /admin 13 ["a"]"#));
        check("37[]", Ok("answer /"));
        check(r#"51-["a",{"_placeholder":true,"num":0}]"#, {
            Ok(r#"binary / - 1 ["a",{"_placeholder":true,"num":0}]"#)
        });
        check(r#"510-/n,3["a"]"#, Ok(r#"binary /n 3 10 ["a"]"#));
        check("61-4[1]", Ok("binary / 4 1 -"));
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for text in ["", "4{}", "4\"no\"", "7", "x", "-", " 2[]"] {
            check(text, Err(PacketFault::Type));
        }
        for text in ["0[]", "0x", "01", "1{}", "2", "20", "2{}", "2/admin", "3", "51-", "51-{}"] {
            let expected = if text == "01" { Ok("connect / -") } else { Err(PacketFault::Payload) };
            check(text, expected);
        }
        for text in ["5[]", "5", "511-[]", "5x-[]", "5+1-[]", "5-[]", "599999999999-[]", "6[]"] {
            check(text, Err(PacketFault::Attachments));
        }
        let digits = "1".repeat(15);
        check(&format!("2{digits}[]"), Ok(&format!("event / {digits} []")));
        check(&format!("2{digits}1[]"), Err(PacketFault::Id));
        let name = "n".repeat(NAMESPACE_BYTES_MAX - 1);
        check(&format!("1/{name},"), Ok(&format!("disconnect /{name}")));
        check(&format!("1/{name}n,"), Err(PacketFault::Namespace));
    }
}
