//! One core of a node: what it is made from, and how its thread makes it.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use storage::{
    CatalogHandle, ChannelState, Counter, DelayOptions, Journal, QueueLimits, Reader, Retention,
    Writer,
};

use super::StartError;
use crate::broker::Rest;
use crate::control::Kept;
use crate::ids::ShardId;
use crate::pressure::Gauge;
use crate::reactor::ring::{self, Bell, Driver, Waker};
use crate::reactor::{
    self, CatalogPort, Clock, Core, JournalPort, Lanes, Order, Parts, Reactor, SidePort,
};
use crate::shard::{Shard, ShardOptions};
use crate::side::SideDoor;
use crate::side::webhook::WebhookDoor;

/// How long a read of webhooks waits for the storage thread, twice.
const WEBHOOK_READ_TIMEOUT: Duration = Duration::from_secs(5);

/// What a core says once it listens, and what it is told then.
pub(super) struct Meeting {
    pub(super) listening: flume::Sender<Result<Listening, StartError>>,
    pub(super) told: flume::Receiver<Told>,
}

pub(super) struct Listening {
    pub(super) address: SocketAddr,
    pub(super) bell: Bell,
    pub(super) waker: Waker,
    /// For webhooks.
    pub(super) reader: Reader,
    pub(super) counter: Counter,
}

pub(super) struct Told {
    pub(super) bells: Vec<Bell>,
    pub(super) catalog: Option<CatalogHandle>,
    pub(super) webhooks: Option<WebhookDoor>,
}

/// What one core is made from, on its own thread.
pub(super) struct Plan {
    pub(super) listen: SocketAddr,
    pub(super) ring: ring::Settings,
    pub(super) shard: ShardOptions,
    pub(super) lanes: Lanes,
    pub(super) journal: Box<dyn Journal>,
    pub(super) kept: Arc<Kept>,
    pub(super) queue: QueueLimits,
    pub(super) retention: Retention,
    pub(super) orders: flume::Receiver<Order>,
    pub(super) inputs_per_turn_max: usize,
    pub(super) busy_cores: Arc<AtomicUsize>,
    pub(super) gauge: Arc<Gauge>,
    pub(super) side: Option<SideDoor>,
    pub(super) read_timeout: Duration,
    pub(super) commit_delay: Duration,
    pub(super) stream_part_bytes_max: usize,
    pub(super) meeting: Meeting,
}

pub(super) fn spawn(
    reactor: Reactor,
    cpu: Option<usize>,
    clock: Clock,
    id: ShardId,
    plan: Plan,
) -> io::Result<JoinHandle<Result<(), StartError>>> {
    let name = format!("shard-{}", id.0);
    thread::Builder::new().name(name.clone()).spawn(move || {
        let failed = plan.meeting.listening.clone();
        let result = reactor::run(reactor, cpu, &name, move || make_core(id, plan, clock));
        if let Err(why) = result {
            // Before the node listens it waits for this; afterwards nobody does, and `join` tells.
            return match failed.send(Err(why)) {
                Ok(()) => Ok(()),
                Err(flume::SendError(Err(why))) => Err(why),
                Err(flume::SendError(Ok(_))) => Ok(()),
            };
        }
        Ok(())
    })
}

/// What is known of a channel before anybody uses it. Of one whose messages are gone nobody can say when the last was taken.
fn rest(state: &ChannelState) -> Rest {
    let is_kept = state.first_retained <= state.position.offset;
    let last_at_ms = NonZeroU64::new(state.last_at_ms).filter(|_| is_kept);
    Rest { position: state.position, last_at_ms }
}

/// Makes a core on the thread that will run it: the ring belongs to the thread that made it.
fn make_core(id: ShardId, plan: Plan, clock: Clock) -> Result<Core, StartError> {
    let driver = Driver::start(plan.listen, plan.ring).map_err(StartError::Ring)?;
    let address = driver.local_address()?;
    let mut shard = Shard::new(plan.shard);
    shard.expect(driver.conns_max());
    shard.begin_epoch(plan.journal.fresh_epoch());
    plan.kept.restore(&mut shard, clock.now());
    for (channel, state) in plan.journal.channels() {
        shard.restore(channel, rest(&state));
    }
    let waker = driver.waker();
    let wake = Box::new(move || waker.wake());
    let name = format!("journal-{}", id.0);
    let time = Box::new(move || Duration::from_micros(clock.us()));
    let delay = DelayOptions { longest: plan.commit_delay, clock: time };
    let writer = Writer::spawn_with_delay(&name, plan.journal, plan.queue, wake, delay)?;
    let side = plan.side.map(|door| {
        let waker = driver.waker();
        door.link(id, writer.reader(plan.read_timeout), Box::new(move || waker.wake()))
    });
    let Meeting { listening, told } = plan.meeting;
    let (reader, counter) = (writer.reader(WEBHOOK_READ_TIMEOUT), writer.counter());
    let (bell, waker) = (driver.bell(), driver.waker());
    let said = Listening { address, bell, waker, reader, counter };
    listening.send(Ok(said)).map_err(io::Error::other)?;
    let Told { bells, catalog, webhooks } = told.recv().map_err(io::Error::other)?;
    let webhooks = webhooks.map(|door| {
        let waker = driver.waker();
        door.link(Box::new(move || waker.wake()))
    });
    let parts = Parts {
        driver,
        shard,
        lanes: plan.lanes,
        bells,
        journal: JournalPort::new(writer),
        catalog: CatalogPort::new(catalog),
        side: SidePort::new(side, webhooks),
        stream_backlog_bytes_max: plan.stream_part_bytes_max,
        retention: plan.retention,
        orders: plan.orders,
        inputs_per_turn_max: plan.inputs_per_turn_max,
        busy_cores: plan.busy_cores,
        gauge: plan.gauge,
    };
    Ok(Core::new(parts, clock))
}
