//! Packets of the server, each with its WebSocket header.

use super::ROOT;
use crate::command::FrameId;
use crate::engineio::Sid;
use crate::json::push_string;
use crate::ws::{append_text, append_text_with};

/// Appends that the client is connected, as the socket of this id.
pub fn frame_connected(out: &mut Vec<u8>, sid: Sid) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"40{\"sid\":");
        push_string(out, sid.as_str());
        out.push(b'}');
    });
}

/// Appends that the client is not let in. The session stays open.
pub fn frame_connect_error(out: &mut Vec<u8>, message: &str) {
    connect_error(out, ROOT, message);
}

/// Appends that there is no such namespace.
pub fn frame_namespace_refused(out: &mut Vec<u8>, namespace: &str) {
    connect_error(out, namespace, "Invalid namespace");
}

/// Appends that the server ends the connection.
pub fn frame_disconnect(out: &mut Vec<u8>) {
    append_text(out, b"41");
}

/// Appends an event whose one argument is written in place.
pub(crate) fn event_frame(out: &mut Vec<u8>, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"42[");
        push_string(out, name);
        out.push(b',');
        write(out);
        out.push(b']');
    });
}

/// Appends the answer to an event, whose one argument is written in place.
pub(crate) fn acknowledgement_frame(
    out: &mut Vec<u8>,
    id: FrameId<'_>,
    write: impl FnOnce(&mut Vec<u8>),
) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"43");
        out.extend_from_slice(id.as_json().as_bytes());
        out.push(b'[');
        write(out);
        out.push(b']');
    });
}

fn connect_error(out: &mut Vec<u8>, namespace: &str, message: &str) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"44");
        if namespace != ROOT {
            out.extend_from_slice(namespace.as_bytes());
            out.push(b',');
        }
        out.extend_from_slice(b"{\"message\":");
        push_string(out, message);
        out.push(b'}');
    });
}
