//! The storage thread: answers in order, bounds, and a last answer for everything at the end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

mod support;

use std::{path::Path, sync::Arc};

use storage::{
    Answer, ChannelKey, JournalKind, JournalOptions, Offset, QueueFull, QueueLimits, Writer,
    WriterHandle, open,
};
use support::{channel, publication};

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
        Answer::Read { .. } | Answer::Retained { .. } | Answer::Dropped { .. } => Vec::new(),
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
    let (writer, _wakes) = writer(QueueLimits { bytes_max: size - 1, messages_max: 10 });
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
