//! The table of settings. A new setting is one row here: the field, the file's key, the variable, the flag, the help and
//! the documentation follow from it.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::setting::{Kind, Setting, bare, settings};
use super::tenant::TenantConfig;
use super::upstream::{ApiToken, BaseUrl, OptionalPath, UpstreamId};
use super::value::{JournalKind, LogFormat, LogLevel, ReactorKind, Value, WebhookFormat};
use super::webhooks::Ports;
use crate::control::Tier;

settings! {
    /// Where the node listens, and how it runs.
    server: ServerConfig {
        listen: SocketAddr = "127.0.0.1:8080", "Address and port for HTTP and WebSocket; port 0 takes a free one.";
        data_dir: PathBuf = "./stentor-data", "Folder of the journal, the catalog and generated secrets.";
        shards: usize = 0 in 0..=256 shards, "Cores to use; 0 is one shard for each core the node may run on.";
        reactor: ReactorKind = "glommio", "What hosts the loop of a core.";
        ephemeral: bool = false, "Keep nothing on disk: journal in memory, development tenant made anew at each start.";
        drain_deadline_ms: u64 = 5_000 in 0..=3_600_000 ms, "How long a stopping node waits for its connections before it closes what is left.";
        upstream_ca_file: OptionalPath = "", "Certificates (PEM) whose signatures https servers behind the node may have, beside the authorities of the system; empty: those alone.";
        log_level: LogLevel = "info", "The least important line that is still logged. Of sled, which keeps the catalog and may keep the journal, no line is below debug.";
        log_format: LogFormat = "auto", "Form of a log line; auto is text on a terminal, else JSON.";
    }

    /// How messages are kept.
    storage: StorageConfig {
        journal: JournalKind = "segment", "Where persisted messages go.";
        retention_age_s: u64 = 0 in 0..=3_155_760_000 s, "Messages older than this may be deleted; 0 keeps them at any age.";
        retention_messages: u64 = 0 in 0..=1_000_000_000_000 messages, "Messages kept in a channel, the newest first; 0 sets no bound.";
        retention_bytes: u64 = 0 in 0..=1_152_921_504_606_846_976 bytes, "Bytes kept in the journal of a shard, the newest first; 0 sets no bound.";
        segment_bytes: usize = 67_108_864 in 4_194_304..=1_073_741_824 bytes, "Size of a segment file, prepared ahead of need.";
    }

    /// Cloudflare RealtimeKit, which answers below `/edge/realtimekit/`.
    realtimekit: RealtimekitConfig {
        base_url: BaseUrl = "https://api.cloudflare.com/client/v4", "Where Cloudflare's API is.";
        account_id: UpstreamId = "", "The Cloudflare account; empty leaves RealtimeKit out.";
        app_id: UpstreamId = "", "The RealtimeKit app in it.";
        api_token: ApiToken = "", "The token for it. Put it into a file or a variable: flags can be seen by others on the host.";
    }

    /// Deliveries of messages to the receivers that a channel pattern of InsForge names.
    webhooks: WebhooksConfig {
        allow_private_targets: bool = false, "Whether deliveries may go to this host and the networks around it, by http too. Link-local addresses stay closed.";
        ports: Ports = "443", "Ports of public receivers.";
        format: WebhookFormat = "envelope", "What a body holds: the message with all that is known of it, or what was published alone.";
        signing_secret: ApiToken = "", "What deliveries are signed with, as whsec_ and base64 or any text; empty leaves signatures out. Put it into a file or a variable.";
        signing_secret_before: ApiToken = "", "The secret before: during a rotation deliveries are signed with both.";
        retry_busy: bool = false, "Whether a delivery that is answered with 429 or 5xx is tried again, as one without an answer is.";
        endpoints_max: usize = 10_000 in 1..=1_000_000 endpoints, "Receivers of the node. More are refused.";
        in_flight_max: usize = 1 in 1..=64 deliveries, "Deliveries to one receiver at once. With 1 all its messages keep their order, with more those of each channel.";
        calls_max: usize = 1_024 in 2..=65_536 deliveries, "Deliveries of the node at once. Others wait; half of the room is for receivers whose last answer was good alone.";
        attempts_max: u32 = 3 in 1..=20 attempts, "Attempts at a delivery that gets no answer. Then it is a dead letter.";
        breaker_failures: u32 = 5 in 1..=1_000 attempts, "Failed attempts in a row after which a receiver is left alone for a while.";
        breaker_wait_ms: u64 = 30_000 in 100..=3_600_000 ms, "How long, at first; it doubles with each probe that fails.";
        breaker_wait_ms_max: u64 = 600_000 in 100..=86_400_000 ms, "How long at most.";
        waiting_s_max: u64 = 259_200 in 60..=31_536_000 s, "Age of a message that waits for a receiver that is left alone. Over it: a dead letter.";
        dead_letters_max: usize = 1_000 in 1..=100_000 letters, "Dead letters of one receiver. Over it the oldest is let go.";
        loaded_bytes_max: usize = 268_435_456 in 1_048_576..=68_719_476_736 bytes, "Messages in memory that are to be delivered. Over it the journal is read later.";
        save_ms: u64 = 100 in 1..=60_000 ms, "How long the place of a receiver may go unsaved. What a crash delivers twice.";
    }

    /// What calls of Infrai cost, in millionths of a dollar: their answers say it, and a tenant's `credit_micro_usd` bounds it. A
    /// call or frame that fails, or that was answered before to the same idempotency key, costs nothing but what of its batch was
    /// published. What is paid comes back then, unless a crash or the end of the WebSocket comes first.
    costs: CostsConfig {
        token_issue: u32 = 0 in 0..=10_000_000 micro_usd, "A token that is made for a client.";
        token_revoke: u32 = 0 in 0..=10_000_000 micro_usd, "A token that is revoked.";
        channel_create: u32 = 0 in 0..=10_000_000 micro_usd, "A channel that is asked for, whether it is new or not.";
        channel_get: u32 = 0 in 0..=10_000_000 micro_usd, "A look at a channel.";
        channel_list: u32 = 0 in 0..=10_000_000 micro_usd, "A page of channels.";
        channel_delete: u32 = 0 in 0..=10_000_000 micro_usd, "A channel that is deleted.";
        publish: u32 = 0 in 0..=10_000_000 micro_usd, "A message that is published: alone, in a batch, or on a WebSocket.";
        presence_get: u32 = 0 in 0..=10_000_000 micro_usd, "A look at who is there.";
        user_disconnect: u32 = 0 in 0..=10_000_000 micro_usd, "A client that is disconnected.";
        auth_sign: u32 = 0 in 0..=10_000_000 micro_usd, "A signature of a vendor.";
    }

    /// The bound of everything that could grow.
    limits: LimitsConfig {
        memory_bytes_max: u64 = 0 in 0..=1_125_899_906_842_624 bytes, "Memory of the node; 0 is four fifths of what its cgroup, or the host, has. Over it new connections are refused with 503; a sixteenth over it messages are too; an eighth over it the slowest consumers are closed with 1013.";
        connections_max: u32 = 1_000_000 in 1..=16_777_152 connections, "Open connections of one shard; descriptors may allow fewer. A new one beyond it is refused with 503.";
        newcomers_heard_max: usize = 256 in 1..=65_536 connections, "Connections of one shard that came while memory was short, and have not asked for anything yet. They are heard before they are refused, so that whoever asks how the node is hears it; each has a head at most, and head_timeout_ms. One more is refused unheard.";
        message_bytes_max: usize = 65_536 in 1..=1_048_576 bytes, "Data of one message. More is refused: close 1009, status 413, or an error frame over Socket.IO, whose frames may be larger.";
        channel_name_bytes_max: usize = 200 in 1..=1_024 bytes, "Name of a channel. A longer one is refused.";
        event_name_bytes_max: usize = 200 in 1..=1_024 bytes, "Name of an event. A longer one is refused.";
        user_id_bytes_max: usize = 128 in 1..=4_096 bytes, "Id of a member. A longer one is refused.";
        user_name_bytes_max: usize = 256 in 0..=4_096 bytes, "Name of a member. A longer one is refused.";
        json_depth_max: usize = 32 in 2..=128 levels, "Arrays and objects inside one another. Deeper is refused.";
        presence_members_max: usize = 1_000 in 1..=100_000 members, "Members listed in a presence snapshot.";
        subscriptions_per_connection_max: usize = 128 in 1..=65_536 channels, "Channels that one WebSocket listens to. One more is refused.";
        connection_requests_per_s: u32 = 0 in 0..=1_000_000_000 requests, "HTTP requests, or frames, of one connection in a second; 0 sets no bound. More are refused with 429 or an error frame. A proxy may carry many clients on one connection.";
        connection_requests_burst: u32 = 0 in 0..=1_000_000_000 requests, "How many of them may come at once after a rest; 0 is what may come in a second.";
        connection_publishes_per_s: u32 = 0 in 0..=1_000_000_000 messages, "Messages that one connection publishes in a second; 0 sets no bound. More are refused with 429 or an error frame.";
        connection_publishes_burst: u32 = 0 in 0..=1_000_000_000 messages, "How many of them may come at once after a rest; 0 is what may come in a second.";
        connection_bytes_per_s: u32 = 0 in 0..=4_294_967_295 bytes, "Data of the messages that one connection publishes in a second; 0 sets no bound. More is refused with 429 or an error frame.";
        connection_bytes_burst: u32 = 0 in 0..=4_294_967_295 bytes, "How much of it may come at once after a rest; 0 is what may come in a second.";
        unanswered_frames_max: usize = 1_024 in 1..=65_536 frames, "Frames of one WebSocket that wait for their answers. One more is refused.";
        known_channels_max: usize = 65_536 in 0..=16_777_216 channels, "Registered channels that a shard knows without asking.";
        token_bytes_max: usize = 4_096 in 256..=16_384 bytes, "A token or key. A longer one is refused unread.";

        outbox_bytes_max: usize = 1_048_576 in 4_096..=1_073_741_824 bytes, "Frames waiting for one connection. Over it the connection is closed with 1013.";
        outbox_total_bytes_max: usize = 268_435_456 in 1_048_576..=1_099_511_627_776 bytes, "Frames waiting on the whole node. Over it the slowest connections are closed with 1013.";
        kernel_unsent_bytes_max: u32 = 32_768 in 4_096..=1_073_741_824 bytes, "What the kernel takes for one connection beyond what is on its way. More waits in the outbox.";
        polling_sessions_max: usize = 65_536 in 0..=16_777_216 sessions, "Sessions over long polling of one shard. One more is refused with 503.";
        polling_total_bytes_max: usize = 67_108_864 in 1_048_576..=1_099_511_627_776 bytes, "Frames that wait for such sessions on one shard; for one alone outbox_bytes_max holds. Over it the session that would get more ends.";
        long_answers_bytes_max: usize = 67_108_864 in 1_048_576..=1_099_511_627_776 bytes, "Answers over HTTP on one shard that are so long that they go out in parts (a page of large messages). One more is refused with 503; one alone always has room.";
        outbox_age_ms_max: u64 = 10_000 in 100..=3_600_000 ms, "Age of the oldest frame waiting for a connection. Over it the connection is closed with 1013.";
        ping_interval_ms: u64 = 25_000 in 100..=3_600_000 ms, "A connection that was silent this long is pinged.";
        pong_timeout_ms: u64 = 10_000 in 100..=3_600_000 ms, "A connection that leaves a ping unanswered this long is closed.";
        engineio_ping_interval_ms: u32 = 25_000 in 100..=3_600_000 ms, "How often a session of Engine.IO (InsForge) is pinged.";
        engineio_ping_timeout_ms: u32 = 20_000 in 100..=3_600_000 ms, "A session of Engine.IO that leaves a ping unanswered this long is ended.";
        connect_timeout_ms: u64 = 45_000 in 100..=3_600_000 ms, "A session of Socket.IO whose client is not let in by then is ended.";
        introduction_timeout_ms: u64 = 10_000 in 100..=3_600_000 ms, "A WebSocket at /realtime whose client has not said who it is by then is closed with 4401.";
        close_timeout_ms: u64 = 5_000 in 100..=3_600_000 ms, "How long a closing connection may take to send what waits for it.";
        drain_input_ms: u64 = 1_000 in 0..=60_000 ms, "How long a closed connection is still read, so that its peer gets the last answer and not a reset.";
        fragments_per_message_max: usize = 64 in 1..=65_536 frames, "Frames that one message may be cut into. More is closed with 1008.";
        control_frames_per_s_max: u8 = 20 in 1..=255 frames, "Pings and pongs of one connection in a second. More is closed with 1008.";

        head_bytes_max: usize = 16_384 in 1_024..=1_048_576 bytes, "Head of an HTTP request. More is refused with 431.";
        headers_max: usize = 64 in 8..=256 headers, "Headers of an HTTP request. More is refused with 431.";
        head_timeout_ms: u64 = 5_000 in 100..=3_600_000 ms, "A request whose head is not complete by then is closed.";
        body_bytes_max: usize = 1_048_576 in 1_024..=67_108_864 bytes, "Body of an HTTP request. More is refused with 413.";
        body_timeout_ms: u64 = 10_000 in 100..=3_600_000 ms, "A request or frame whose body is not complete by then is closed.";
        idle_timeout_ms: u64 = 75_000 in 100..=3_600_000 ms, "An HTTP connection without a request is closed after this.";
        pipelined_requests_max: usize = 16 in 1..=1_024 requests, "HTTP requests of one connection that wait for their answer. More are read only later.";

        channels_max: usize = 1_000_000 in 1..=1_000_000_000 channels, "Channels in memory on one shard. A new one beyond it is refused.";
        tail_messages_max: usize = 128 in 0..=65_536 messages, "Newest messages of a channel that are kept in memory.";
        recovery_messages_max: usize = 256 in 1..=65_536 messages, "Messages that are read from the journal at once for a WebSocket that missed them. It gets them, and what memory has, in parts of at most an eighth of an outbox, each once the last was taken.";
        tail_total_bytes_max: usize = 67_108_864 in 0..=1_099_511_627_776 bytes, "Bytes of such messages on one shard. Over it the oldest tails are dropped; history then comes from the journal.";

        control_calls_max: usize = 16_384 in 1..=1_048_576 calls, "Calls of one shard that take several steps and are not finished. More are refused with 503.";
        seat_queue_max: usize = 4_096 in 1..=1_048_576 asks, "Asks of one tenant that wait for its last commit. More are refused with 503.";
        registered_channels_max: usize = 1_000_000 in 1..=100_000_000 channels, "Channels that one tenant registered. More are refused with 503.";
        idempotency_keys_max: usize = 1_000_000 in 1..=100_000_000 keys, "Idempotency keys of one tenant that are known, for a day each. More are refused with 429.";
        idempotency_waiters_max: usize = 64 in 0..=65_536 requests, "Requests that wait for an earlier one of the same idempotency key. More are refused with 503.";
        revoked_tokens_max: usize = 1_000_000 in 1..=100_000_000 tokens, "Tokens of one tenant that are revoked and have not expired. More are refused with 503.";
        patterns_max: usize = 10_000 in 1..=100_000 patterns, "Channel patterns (InsForge) that one tenant registered, enabled or not. More are refused with 503.";

        side_calls_max: usize = 256 in 1..=65_536 calls, "Calls of one shard to other servers and the database that are not finished. More are refused with 503.";
        side_bytes_max: usize = 67_108_864 in 1_048_576..=17_179_869_184 bytes, "Bytes that the bodies of such calls may take on one shard. More are refused with 503.";
        side_answer_timeout_ms: u64 = 15_000 in 100..=3_600_000 ms, "A server behind the node that has not begun to answer by then: 504.";
        side_idle_timeout_ms: u64 = 60_000 in 100..=3_600_000 ms, "A server behind the node that pauses this long within an answer: the client's connection is cut.";
        database_queries_max: usize = 2 in 1..=256 queries, "Queries that run at once on the node. Others wait, as long as a query may take; then 503.";
        database_time_ms_max: u64 = 2_000 in 10..=600_000 ms, "Time of one query. Over it: 400.";
        database_rows_max: usize = 10_000 in 1..=10_000_000 rows, "Rows of one result. Over it: 400.";
        database_result_bytes_max: usize = 4_194_304 in 1_024..=1_073_741_824 bytes, "Bytes of one result. Over it: 400.";
        database_memory_bytes_max: usize = 67_108_864 in 1_048_576..=17_179_869_184 bytes, "Memory that all running queries of the node share. Over it: 400.";
        lists_max: usize = 4 in 1..=256 calls, "Lists of messages, and statistics, that are read at once on the node. Others wait, as long as a step of one may take; then 503.";
        list_time_ms_max: u64 = 5_000 in 10..=600_000 ms, "Time of a step of a list: to find its messages, or to read the next few of them. Over it: 503.";

        inputs_per_turn_max: usize = 256 in 1..=65_536 inputs, "Inputs that a shard takes before it sends what they caused.";
        comings_per_turn_max: usize = 4 in 1..=65_536 events, "Events of connections that come or go that a shard takes in one turn, connections that it lets go, and overdue ones that it sees to. The first three receptions of a connection are such events: a crowd that comes back at once waits behind those who are here.";
        deliveries_per_turn_max: usize = 256 in 64..=16_777_216 frames, "Sends to channels that a shard makes before it takes inputs again, or half as many more; one of 2 KiB counts as two, and so on. A larger fan-out goes on in the next turns, behind smaller ones; what comes for its channel meanwhile is one frame.";
        turn_us: u64 = 200 in 50..=1_000_000 us, "Time that a shard takes inputs before it sends what they caused, and that it should take for a turn's sends to channels: while more are left, it makes as many as take so long, but at least 16. Sixteen times as long where nobody else was given anything in the midst of a fan-out for ten seconds.";
        fan_out_bytes_max: usize = 4_194_304 in 65_536..=17_179_869_184 bytes, "Bytes that wait for fan-outs of a shard that are under way. Over it the shard takes nothing new until they are done; so it does with an eighth of an outbox for one channel.";
        lane_capacity: usize = 4_096 in 64..=1_048_576 entries, "Entries of a lane between two shards. A full one holds back its sender's requests.";
        journal_queue_messages_max: usize = 262_144 in 1..=16_777_216 messages, "Messages of a shard that wait for their sync. More are refused with 503.";
        journal_queue_bytes_max: usize = 67_108_864 in 65_536..=17_179_869_184 bytes, "Bytes of a shard that wait for their sync. More are refused with 503.";
        commit_delay_us_max: u64 = 1_000 in 0..=100_000 us, "How long the journal waits, at most, for publishers that it has just answered to come with their next messages, so that one sync does for all of them. It waits where it sees that this is worth it, for two syncs' time at most; with 0 never.";
        journal_reads_max: usize = 1_024 in 16..=1_048_576 questions, "Reads of a shard's journal, and other questions to it, that wait. More are refused with 503, but those of subscribers who missed something: they wait longer.";
        receive_buffers: u16 = 512 in 16..=32_768 buffers, "Receive buffers of a shard, shared by its connections; a power of two.";
        receive_buffer_bytes: u32 = 4_096 in 512..=65_536 bytes, "Size of a receive buffer.";
        receive_buffers_per_connection_max: u16 = 64 in 1..=32_768 buffers, "Receive buffers that one connection holds before it is read no further.";
        submissions_max: u32 = 4_096 in 64..=32_768 entries, "Submission entries of a shard's ring; a power of two.";
        completions_max: u32 = 16_384 in 128..=65_536 entries, "Completion entries of a shard's ring; a power of two, not less than the submissions.";
    }
}
