//! A subscriber on `tokio-tungstenite`.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Its default is 128 KiB for each connection.
const READ_BYTES: usize = 1024;

/// Writes what the inbox gets until the other side goes.
pub(super) async fn subscribe(stream: TcpStream, mut inbox: UnboundedReceiver<Utf8Bytes>) {
    let config = WebSocketConfig::default().read_buffer_size(READ_BYTES);
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let (mut sink, mut source) = socket.split();
    let writer = tokio::spawn(async move {
        while let Some(text) = inbox.recv().await {
            sink.feed(Message::Text(text)).await?;
            while let Ok(text) = inbox.try_recv() {
                sink.feed(Message::Text(text)).await?;
            }
            sink.flush().await?;
        }
        Ok::<(), tokio_tungstenite::tungstenite::Error>(())
    });
    while let Some(Ok(_)) = source.next().await {}
    writer.abort();
}
