//! The bounds of deliveries (invariant 7), each with what happens at it.

/// What deliveries may take, and how patient they are.
#[derive(Clone, Debug)]
pub struct WebhookLimits {
    /// Endpoints of the node. A hook with more is refused.
    pub endpoints_max: usize,
    /// Deliveries of one endpoint that are under way. With 1 the order of all its messages holds, with more that of each channel.
    pub in_flight_max: usize,
    /// Calls of the node that are under way. Half of them are for endpoints whose last call went well alone.
    pub calls_max: usize,
    /// Attempts at one delivery while its receiver counts as in order. Then it is a dead letter.
    pub attempts_max: u32,
    /// The wait before the second attempt; each further one is twice as long, and up to a quarter is added by chance.
    pub retry_wait_ms: u64,
    /// Which failures are tried again.
    pub retry: Retry,
    /// The longest `Retry-After` that is heeded.
    pub retry_after_ms_max: u64,
    /// Time to look a name up and to connect.
    pub connect_timeout_ms: u64,
    /// Time of a whole attempt.
    pub answer_timeout_ms: u64,
    /// Failed attempts in a row, of any message, after which an endpoint is left alone for a while.
    pub breaker_failures: u32,
    /// How long, at first. It doubles with each probe that fails.
    pub breaker_wait_ms: u64,
    /// How long at most.
    pub breaker_wait_ms_max: u64,
    /// Age of a message that waits for an endpoint that is left alone. Over it: a dead letter.
    pub waiting_ms_max: u64,
    /// Dead letters of one endpoint. Over it the oldest is let go.
    pub dead_letters_max: usize,
    /// Dead letters of one endpoint that wait to be tried again. More are refused.
    pub replays_max: usize,
    /// Runs of failed messages of one feed that are kept until the other endpoints of the hook are as far. Over it the oldest is
    /// let go, and its messages get no count.
    pub failed_runs_max: usize,
    /// Messages that an endpoint reads at once.
    pub slice_messages_max: usize,
    /// Bytes that an endpoint reads at once; one message more than that is always given.
    pub slice_bytes_max: usize,
    /// Bytes that all endpoints hold of what they read. Over it reads wait.
    pub loaded_bytes_max: usize,
    /// Reads of the journal at once.
    pub reads_max: usize,
    /// Orders of the engine that wait. More are refused.
    pub orders_max: usize,
    /// How long what ended may go unsaved: what a crash delivers twice.
    pub save_ms: u64,
    /// How often the journal is asked for more where nobody said that there is.
    pub poll_ms: u64,
}

/// Which failures are tried again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retry {
    /// Those without an answer.
    NoAnswer,
    /// And answers with 429 and 5xx.
    NoAnswerOrBusy,
}

impl Default for WebhookLimits {
    fn default() -> Self {
        Self {
            endpoints_max: 10_000,
            in_flight_max: 1,
            calls_max: 1_024,
            attempts_max: 3,
            retry_wait_ms: 1_000,
            retry: Retry::NoAnswer,
            retry_after_ms_max: 60_000,
            connect_timeout_ms: 5_000,
            answer_timeout_ms: 10_000,
            breaker_failures: 5,
            breaker_wait_ms: 30_000,
            breaker_wait_ms_max: 600_000,
            waiting_ms_max: 259_200_000,
            dead_letters_max: 1_000,
            replays_max: 100,
            failed_runs_max: 256,
            slice_messages_max: 64,
            slice_bytes_max: 131_072,
            loaded_bytes_max: 268_435_456,
            reads_max: 4,
            orders_max: 4_096,
            save_ms: 100,
            poll_ms: 5_000,
        }
    }
}
