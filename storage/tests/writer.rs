//! The storage thread: answers in order, bounds, and a last answer for everything at the end.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise, and has a clock"
)]

mod support;

use std::{
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use flume::TrySendError;
use storage::{
    Among, Answer, ChannelKey, Cursor, DelayOptions, Epoch, JournalError, JournalKind,
    JournalOptions, ListQuery, Offset, Place, QueueFull, QueueLimits, Reader, Writer, WriterHandle,
    list, open,
};
use support::{
    channel, log, publication,
    sim_disk::{Faults, SimDisk},
    trust,
};

fn writer(limits: QueueLimits) -> (WriterHandle, flume::Receiver<()>) {
    let journal = open(JournalKind::Memory, Path::new(""), &JournalOptions::default()).unwrap();
    let (woken, wakes) = flume::unbounded();
    let wake = Box::new(move || {
        let _ = woken.send(()); // The test may have ended.
    });
    (Writer::spawn("test-journal", journal, limits, wake).unwrap(), wakes)
}

fn push(writer: &WriterHandle, key: &Arc<ChannelKey>, offset: u64) -> Result<(), QueueFull> {
    writer.try_append(publication(key, 1, offset))
}

/// What was answered to each append, in order.
fn outcomes(answers: impl IntoIterator<Item = Answer>) -> Vec<bool> {
    let outcome = |answer| match answer {
        Answer::Committed { count } => vec![true; count],
        Answer::Refused { count, .. } => vec![false; count],
        Answer::Read { .. }
        | Answer::Retained { .. }
        | Answer::Dropped { .. }
        | Answer::Cut { .. }
        | Answer::Damaged { .. }
        | Answer::NotBegun { .. }
        | Answer::DroppedTenant { .. } => Vec::new(),
    };
    answers.into_iter().flat_map(outcome).collect()
}

#[test]
fn every_append_is_answered_once_and_the_shard_is_woken() {
    let (writer, wakes) = writer(QueueLimits::default());
    let key = channel(1);
    (1..=5_000).for_each(|it| push(&writer, &key, it).unwrap());
    let mut answered = Vec::new();
    while answered.len() < 5_000 {
        wakes.recv().unwrap();
        answered.extend(outcomes(writer.answers()));
    }
    assert_eq!(answered, [true; 5_000]);
    assert_eq!((writer.waiting_bytes(), writer.waiting_messages()), (0, 0));
}

#[test]
fn a_read_sees_what_was_answered_before_it() {
    let (writer, _wakes) = writer(QueueLimits::default());
    let key = channel(1);
    (1..=3).for_each(|it| push(&writer, &key, it).unwrap());
    let mut committed = 0;
    while committed < 3 {
        committed += outcomes(writer.wait()).len();
    }
    writer.try_read(7, Arc::clone(&key), Offset(1), 10).unwrap();
    let Some(Answer::Read { token: 7, result: Ok(read) }) = writer.wait() else {
        panic!("the read is answered");
    };
    assert_eq!(read, [publication(&key, 1, 2), publication(&key, 1, 3)]);
}

#[test]
fn a_refused_batch_is_answered_in_its_place() {
    let (writer, _wakes) = writer(QueueLimits::default());
    push(&writer, &channel(1), 9).unwrap();
    assert_eq!(outcomes(writer.wait()), [false]);
    push(&writer, &channel(1), 1).unwrap();
    assert_eq!(outcomes(writer.shutdown()), [true]);
}

#[test]
fn what_waits_is_bounded_in_bytes() {
    let size = publication(&channel(1), 1, 1).text_bytes() as u64;
    let (writer, _wakes) =
        writer(QueueLimits { bytes_max: size - 1, messages_max: 10, reads_max: 10 });
    assert_eq!(push(&writer, &channel(1), 1), Err(QueueFull));
    assert_eq!(writer.waiting_bytes(), 0);
}

#[test]
fn a_shutdown_answers_all_that_waits() {
    let (writer, _wakes) = writer(QueueLimits::default());
    let key = channel(1);
    (1..=3_000).for_each(|it| push(&writer, &key, it).unwrap());
    assert_eq!(outcomes(writer.shutdown()), [true; 3_000]);
}

#[test]
fn readers_beside_the_shard_see_whole_histories_while_it_appends() {
    let (writer, _wakes) = writer(QueueLimits::default());
    // Channels 1 and 4 are of tenant 1, channel 2 of tenant 2.
    let (key, other) = (channel(1), channel(2));
    (1..=1_000).for_each(|it| push(&writer, &key, it).unwrap());
    (1..=10).for_each(|it| push(&writer, &channel(4), it).unwrap());
    (1..=10).for_each(|it| push(&writer, &other, it).unwrap());
    let mut committed = 0;
    while committed < 1_020 {
        committed += outcomes(writer.wait()).len();
    }
    let reader = writer.reader(Duration::from_secs(60));
    let reading = |reader: Reader| {
        let key = Arc::clone(&key);
        thread::spawn(move || {
            let listed = reader.channels(key.tenant()).unwrap();
            let names: Vec<_> = listed.iter().map(|it| it.0.name().to_owned()).collect();
            assert_eq!(names, ["room:1", "room:4"]);
            let all = reader.read(&key, Offset(0), 900).unwrap();
            assert!(
                all.iter()
                    .eq((1..=900).map(|it| publication(&key, 1, it)).collect::<Vec<_>>().iter())
            );
            assert_eq!(reader.read(&key, Offset(990), usize::MAX).unwrap().len(), 10);
        })
    };
    let threads = [reading(reader.clone()), reading(reader.clone())];
    (11..=2_000).for_each(|it| push(&writer, &other, it).unwrap());
    threads.into_iter().for_each(|it| it.join().unwrap());
    assert_eq!(outcomes(writer.shutdown()), [true; 1_990]);
    assert!(matches!(reader.channels(key.tenant()), Err(JournalError::Ended)));
}

#[test]
fn a_reader_gives_up_on_a_thread_that_has_too_much_to_do() {
    let journal = open(JournalKind::Memory, Path::new(""), &JournalOptions::default()).unwrap();
    let (go, gone) = flume::bounded::<()>(0);
    let wake = Box::new(move || {
        let _ = gone.recv(); // The storage thread stands still until the test lets it go on.
    });
    let writer = Writer::spawn("slow", journal, QueueLimits::default(), wake).unwrap();
    push(&writer, &channel(1), 1).unwrap();
    assert_eq!(outcomes(writer.wait()), [true]);
    let reader = writer.reader(Duration::from_millis(1));
    let slow = reader.read(&channel(1), Offset(0), 1);
    assert!(matches!(slow, Err(JournalError::TimedOut)));
    drop(go);
    let patient = writer.reader(Duration::from_secs(60));
    assert_eq!(patient.read(&channel(1), Offset(0), 9).unwrap(), [publication(&channel(1), 1, 1)]);
}

#[test]
fn a_tenant_is_dropped_behind_what_waits() {
    let (writer, _wakes) = writer(QueueLimits::default());
    let key = channel(1);
    push(&writer, &key, 1).unwrap();
    assert_eq!(outcomes(writer.wait()), [true]);
    writer.try_drop_tenant(7, key.tenant()).unwrap();
    let answer = writer.wait();
    assert!(matches!(answer, Some(Answer::DroppedTenant { token: 7, result: Ok(Epoch(2)) })));
    writer.try_append(publication(&key, 2, 1)).unwrap();
    assert_eq!(outcomes(writer.wait()), [true]);
}

#[test]
fn lists_and_cursors_work_beside_the_shard_and_are_told_of_more() {
    let (writer, _wakes) = writer(QueueLimits::default());
    let key = channel(1);
    let mut reader = writer.reader(Duration::from_secs(60));
    let (tell, told) = flume::bounded(1);
    reader
        .watch(move |_| !matches!(tell.try_send(()), Err(TrySendError::Disconnected(()))))
        .unwrap();
    assert!(told.try_recv().is_err(), "nothing yet");
    let mut cursor = Cursor::new(key.tenant(), Place::START);
    let following = thread::spawn(move || {
        let mut given = Vec::new();
        while given.len() < 3_000 {
            let slice = cursor.next(&mut reader, 100).unwrap();
            given.extend(slice.messages.into_iter().map(|it| it.1));
            if slice.is_end && given.len() < 3_000 {
                told.recv_timeout(Duration::from_secs(60)).unwrap();
            }
        }
        (given, reader)
    });
    (1..=3_000).for_each(|it| push(&writer, &key, it).unwrap());
    let (given, mut reader) = following.join().unwrap();
    assert!(given.into_iter().eq((1..=3_000).map(|it| publication(&key, 1, it))));
    let query = ListQuery {
        tenant: key.tenant(),
        among: Among::Channel(Arc::clone(&key)),
        event: Some("said".to_owned()),
        limit: 1_000,
        offset: 500,
    };
    let listed = list(&mut [&mut reader], &query).unwrap();
    let expected = (1_501..=2_500).rev().map(|it| publication(&key, 1, it));
    assert!(listed.into_iter().map(|it| it.publication).eq(expected));
}

#[test]
fn whoever_is_waited_for_and_does_not_come_holds_nobody_up_for_long() {
    for round in 0..trust::rounds(3, 300) {
        let disk = SimDisk::new(round);
        let journal = log::open(&disk, 1024 * 1024);
        disk.set_faults(Faults { sync_takes: Duration::from_millis(2), ..Faults::default() });
        let limits = QueueLimits::default();
        let start = Instant::now();
        let clock = Box::new(move || start.elapsed());
        let delay = DelayOptions { longest: Duration::from_millis(4), clock };
        let wake = Box::new(|| ());
        let writer =
            Writer::spawn_with_delay("test-journal", journal, limits, wake, delay).unwrap();
        let key = channel(1);
        let mut offset = 0;
        // Many, then always fewer than before: each time the thread may wait for the others, and is told of nothing more.
        for many in [64, 32, 9, 5, 2, 1] {
            for _ in 0..many {
                offset += 1;
                writer.try_queue(publication(&key, 1, offset)).unwrap();
            }
            writer.hand_over();
            let mut committed = 0;
            while committed < many {
                committed += outcomes(writer.wait()).len();
            }
        }
    }
}

#[test]
fn a_sync_that_takes_a_second_holds_up_what_waits_up_to_its_bound_and_loses_none_of_it() {
    const WAITING_MAX: usize = 200;
    let (mut taken, mut refused) = (0, 0);
    let rounds = trust::rounds(1, 100);
    for round in 0..rounds {
        let disk = SimDisk::new(round);
        let journal = log::open(&disk, 1024 * 1024);
        disk.set_faults(Faults { sync_takes: Duration::from_secs(1), ..Faults::default() });
        let limits = QueueLimits { messages_max: WAITING_MAX, ..QueueLimits::default() };
        let writer = Writer::spawn("test-journal", journal, limits, Box::new(|| ())).unwrap();
        let key = channel(1);
        push(&writer, &key, 1).unwrap();
        while writer.waiting_messages() > 0 {
            thread::yield_now();
        }
        // Its sync has begun, and as much waits behind it as may.
        let waiting = (2..).take_while(|it| push(&writer, &key, *it).is_ok()).count();
        assert_eq!(waiting, WAITING_MAX, "round {round}");
        for _ in 0..10 {
            assert_eq!(push(&writer, &key, 2 + WAITING_MAX as u64), Err(QueueFull));
            refused += 1;
        }
        assert!(!writer.has_answers(), "round {round}: nothing is durable yet");
        let outcomes = outcomes(writer.shutdown());
        assert_eq!(outcomes, [true; 1 + WAITING_MAX], "round {round}");
        disk.set_faults(Faults::default());
        disk.cut();
        let found = log::audit(&mut *log::open(&disk, 1024 * 1024));
        assert_eq!(found, (1 + WAITING_MAX as u64, false), "round {round}");
        taken += found.0;
    }
    let figures =
        [("stalls", rounds), ("taken", taken), ("refused", refused), ("acknowledged_lost", 0)];
    trust::tell("a sync of one second, simulated disk", &figures);
}
