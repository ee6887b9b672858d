//! Between the opening of connections and a load that several generators share: until the last of them has opened its own, the
//! connections of the others are asked whether they are still there, and answer.

use super::link::Link;
use crate::client::conn::{Arrived, Conn};
use crate::client::dialect::Dialect;
use crate::client::message::{Finder, Heard, Message};
use crate::client::opening::Net;
use crate::client::socket::Ready;
use crate::client::walk::Step;
use crate::failure::Failure;
use serde_json::Value;

/// How often it is seen whether the line came.
const LOOK_NS: u64 = 20_000_000;

/// Whether it is of use to wait on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// It is.
    Wait,
    /// Something is not as it was: the load has begun elsewhere, or a connection is over. The run reads and counts that.
    Leave,
}

/// Waits for a line, and answers what asks for an answer. Whatever else comes is left for the run.
pub(super) fn wait(
    net: &mut Net,
    (dialect, mut finder): (Dialect, Finder),
    is_hearer: impl Fn(usize) -> bool,
    link: &Link,
) -> Result<Value, Failure> {
    loop {
        if let Some(line) = link.heard()? {
            return Ok(line);
        }
        let count = net.poller.wait(LOOK_NS).map_err(Failure::io("cannot wait for events"))?;
        for nth in 0..count {
            let Some(ready) = net.poller.ready(nth) else { continue };
            let is_read = is_hearer(ready.index);
            if !is_read || answer(net, (dialect, &mut finder), ready) == After::Leave {
                return link.hear();
            }
        }
    }
}

fn answer(net: &mut Net, (dialect, finder): (Dialect, &mut Finder), ready: Ready) -> After {
    let Ready { index, can_read, .. } = ready;
    let Some(conn) = net.conns.get_mut(index) else { return After::Wait };
    let arrived = if can_read { conn.read(&mut net.buffer) } else { Arrived::Nothing };
    let after = match arrived {
        Arrived::Bytes(count) => {
            let bytes = net.buffer.get(..count).unwrap_or_default();
            let (after, taken) = answer_all(conn, (dialect, finder), bytes);
            conn.keep(bytes.get(taken..).unwrap_or_default());
            after
        }
        Arrived::Nothing => After::Wait,
        Arrived::Ended => return After::Leave,
    };
    match conn.flush(index, &net.poller) {
        Ok(()) => after,
        Err(_) => After::Leave,
    }
}

/// Answers frames up to the first that is for the run. Returns how many bytes those are.
fn answer_all(
    conn: &mut Conn,
    (dialect, finder): (Dialect, &mut Finder),
    bytes: &[u8],
) -> (After, usize) {
    let mut at = 0;
    while let Step::Frame(frame, taken) = dialect.step(bytes.get(at..).unwrap_or_default()) {
        match finder.hear(&frame, conn.out()) {
            Heard::Message(Message::Delivery(_) | Message::Damaged, _) | Heard::Closed(_) => {
                return (After::Leave, at);
            }
            Heard::Message(..) | Heard::Answered | Heard::Nothing => at += taken,
        }
    }
    (After::Wait, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::conn::Stage;
    use crate::client::request::filler;
    use crate::client::socket;
    use crate::client::stamp::{SIGN, STAMP_BYTES};
    use serde_json::json;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::channel;
    use std::thread;

    const PAYLOAD_BYTES: usize = 64;

    /// One connection that is open, and the server's end of it.
    fn connected() -> (Net, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut net = Net::new().unwrap();
        let socket = socket::open(listener.local_addr().unwrap(), None).unwrap();
        let mut conn = Conn::new(socket, 0, &net.poller).unwrap();
        conn.stage = Stage::Live;
        net.conns.push(conn);
        (net, listener.accept().unwrap().0)
    }

    fn finder() -> Finder {
        Finder::new(Dialect::Insforge, PAYLOAD_BYTES)
    }

    fn delivery() -> Vec<u8> {
        let data = [SIGN, &[b'a'; STAMP_BYTES], &filler(PAYLOAD_BYTES)].concat();
        let text = [b"42[\"message\",{\"data\":\"", &*data, b",\"meta\":{}}]"].concat();
        [&[0x81, u8::try_from(text.len()).unwrap()], &*text].concat()
    }

    #[test]
    fn who_waits_for_others_answers_until_they_are_ready() {
        let (mut net, mut server) = connected();
        let (tell, lines) = channel();
        let asks = thread::spawn(move || {
            let ping = ([0x89, 1, b'p'], [0x8a, 0x81, 0, 0, 0, 0, b'p']);
            let pulse = ([0x81, 1, b'2'], [0x81, 0x81, 0, 0, 0, 0, b'3']);
            for (asks, answer) in [ping, pulse, ping] {
                server.write_all(&asks).unwrap();
                let mut heard = [0; 7];
                server.read_exact(&mut heard).unwrap();
                assert_eq!(heard, answer);
            }
            tell.send(json!({ "start_ns": 7 })).unwrap();
            server
        });
        let line = wait(&mut net, (Dialect::Insforge, finder()), |_| true, &Link::of(lines));
        assert_eq!(line.unwrap(), json!({ "start_ns": 7 }));
        asks.join().unwrap();
    }

    #[test]
    fn what_belongs_to_the_run_is_left_for_it() {
        let (mut net, mut server) = connected();
        let delivery = delivery();
        server.write_all(&[&[0x81, 1, b'2'], &*delivery].concat()).unwrap();
        let mut after = After::Wait;
        while after == After::Wait {
            if net.poller.wait(LOOK_NS).unwrap() > 0 {
                let ready = net.poller.ready(0).unwrap();
                after = answer(&mut net, (Dialect::Insforge, &mut finder()), ready);
            }
        }
        assert_eq!(net.conns[0].take_kept(), delivery);
        let mut heard = [0; 7];
        server.read_exact(&mut heard).unwrap();
        assert_eq!(heard[6], b'3');
    }
}
