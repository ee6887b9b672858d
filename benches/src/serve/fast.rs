//! A subscriber on `fastwebsockets`.

use fastwebsockets::{
    Frame, OpCode, Payload, Role, WebSocketError, WebSocketRead, after_handshake_split,
};
use tokio::io::{AsyncRead, BufWriter};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// The library writes each frame by itself: what collects them is in front of the socket.
const WRITE_BYTES: usize = 16 * 1024;

/// Writes what the inbox gets until the other side goes.
pub(super) async fn subscribe(stream: TcpStream, mut inbox: UnboundedReceiver<Utf8Bytes>) {
    let (read, write) = stream.into_split();
    let write = BufWriter::with_capacity(WRITE_BYTES, write);
    let (mut reader, mut writer) = after_handshake_split(read, write, Role::Server);
    let task = tokio::spawn(async move {
        while let Some(text) = inbox.recv().await {
            writer.write_frame(Frame::text(Payload::Borrowed(text.as_bytes()))).await?;
            while let Ok(text) = inbox.try_recv() {
                writer.write_frame(Frame::text(Payload::Borrowed(text.as_bytes()))).await?;
            }
            writer.flush().await?;
        }
        Ok::<(), WebSocketError>(())
    });
    while is_open(&mut reader).await {}
    task.abort();
}

/// Reads and drops one frame; whether more may come.
async fn is_open(reader: &mut WebSocketRead<impl AsyncRead + Unpin>) -> bool {
    // Pongs that it asks for are owed to nobody here: the generator sends no pings.
    let frame = reader.read_frame(&mut |_| async { Ok::<(), WebSocketError>(()) }).await;
    frame.is_ok_and(|it| it.opcode != OpCode::Close)
}
