//! How a WebSocket of the simulator opens.

use protocol::client;

use crate::seen::Seen;

/// How far a connection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    Asked,
    Open,
    /// It was refused, or closed.
    Over,
}

impl Phase {
    /// Takes the answer to the handshake out of what was heard, once it is whole.
    pub fn hear(&mut self, heard: &mut Vec<u8>, seen: &mut Seen) {
        if *self != Self::Asked {
            return;
        }
        // Shed before it read anything: all it gets is the close frame.
        if heard.first() == Some(&0x88) {
            *self = Self::Over;
            return;
        }
        let Some(head) = client::parse_response(heard).expect("an HTTP response") else { return };
        *self = if head.status == 101 { Self::Open } else { Self::Over };
        let text = String::from_utf8_lossy(heard);
        seen.note_if(text.contains("connections_max"), "connection limit");
        heard.drain(..head.head_bytes);
    }
}
