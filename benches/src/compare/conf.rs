//! Configurations of the servers that want one, written into the folder that they are started in.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::peers::{Place, find, find_built};

/// The app of servers that speak Pusher's protocol.
pub(super) const APP: &str = "bench";
/// Its key.
pub(super) const APP_KEY: &str = "bench-key";
/// Its secret, which opens nothing but a server of this comparison.
pub(super) const APP_SECRET: &str = "bench-secret";

/// nginx's module.
pub(super) const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// nginx with nchan: one process, nothing stored, nothing logged.
pub(super) fn nchan(place: &Place<'_>) -> io::Result<Command> {
    let (folder, port) = (place.folder.display(), place.port);
    let text = format!(
        "load_module {NCHAN};\n\
         daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log error;\n\
         events {{ worker_connections 16384; use epoll; }}\n\
         http {{\n\
           access_log off;\n  tcp_nodelay on;\n  keepalive_requests 1000000000;\n  keepalive_timeout 3600;\n\
           client_body_temp_path {folder}/bodies;\n  client_body_buffer_size 64k;\n\
           nchan_shared_memory_size 256M;\n\
           server {{\n    listen 127.0.0.1:{port} backlog=4096;\n\
             location ~ ^/sub/(.+)$ {{\n      nchan_subscriber websocket;\n      nchan_channel_id $1;\n\
               nchan_subscriber_first_message newest;\n    }}\n\
             location ~ ^/pub/(.+)$ {{\n      nchan_publisher http;\n      nchan_channel_id $1;\n\
               nchan_store_messages off;\n    }}\n\
           }}\n}}\n"
    );
    let file = written(place.folder, "nginx.conf", &text)?;
    let mut command = Command::new(program("nginx")?);
    command.arg("-c").arg(file).arg("-e").arg(place.folder.join("error.log"));
    Ok(command)
}

/// NATS on one thread.
pub(super) fn nats(place: &Place<'_>) -> io::Result<Command> {
    let text = format!(
        "listen: \"127.0.0.1:{}\"\nping_interval: \"1h\"\nmax_pending: 268435456\nwrite_deadline: \"60s\"\n\
         max_payload: 1048576\ndebug: false\ntrace: false\nlogfile: \"{}\"\n",
        place.port,
        place.folder.join("nats.log").display()
    );
    let file = written(place.folder, "nats.conf", &text)?;
    let mut command = Command::new(program("nats-server")?);
    command.arg("-c").arg(file).env("GOMAXPROCS", "1");
    Ok(command)
}

/// mosquitto without persistence.
pub(super) fn mosquitto(place: &Place<'_>) -> io::Result<Command> {
    let text = format!(
        "listener {} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n\
         max_queued_messages 0\nmax_inflight_messages 0\nlog_dest none\nsys_interval 0\n",
        place.port
    );
    let file = written(place.folder, "mosquitto.conf", &text)?;
    let mut command = Command::new(program("mosquitto")?);
    command.arg("-c").arg(file);
    Ok(command)
}

/// Redis without persistence.
pub(super) fn redis(place: &Place<'_>) -> io::Result<Command> {
    let text = format!(
        "bind 127.0.0.1\nport {}\ntcp-backlog 4096\ndir {}\nsave \"\"\nappendonly no\nprotected-mode no\n\
         maxclients 16000\nloglevel warning\nclient-output-buffer-limit pubsub 0 0 0\ndaemonize no\n",
        place.port,
        place.folder.display()
    );
    let file = written(place.folder, "redis.conf", &text)?;
    let mut command = Command::new(program("redis-server")?);
    command.arg(file);
    Ok(command)
}

/// sockudo with its app in memory.
pub(super) fn sockudo(place: &Place<'_>) -> io::Result<Command> {
    let text = serde_json::json!({
        "host": "127.0.0.1",
        "port": place.port,
        "debug": false,
        "metrics": { "enabled": false },
        "rate_limiter": { "enabled": false },
        "adapter": { "driver": "local" },
        "cache": { "driver": "memory" },
        "app_manager": { "driver": "memory", "array": { "apps": [{
            "id": APP, "key": APP_KEY, "secret": APP_SECRET, "enabled": true,
            "max_connections": "20000", "enable_client_messages": false,
            "max_client_events_per_second": "1000000",
        }] } },
    });
    let file = written(place.folder, "sockudo.json", &text.to_string())?;
    let missing = || io::Error::new(ErrorKind::NotFound, "sockudo was not built");
    let mut command = Command::new(find_built("sockudo").ok_or_else(missing)?);
    command.arg("--config").arg(file).env("HOST", "127.0.0.1");
    command.env("PORT", place.port.to_string()).env("RUST_LOG", "error");
    Ok(command)
}

fn written(folder: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    let file = folder.join(name);
    fs::write(&file, text)?;
    Ok(file)
}

fn program(name: &str) -> io::Result<PathBuf> {
    find(name).ok_or_else(|| io::Error::new(ErrorKind::NotFound, format!("{name} is missing")))
}
