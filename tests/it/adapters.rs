//! Iterators, readers and writers that count on a job.

use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom, Write};

use active_status::progress::{ProgressIterator, wrap_io};
use active_status::{Board, Events, Job, JobOptions, ProgressStyle, board};

use crate::snapshot::snapshot;
use crate::support::panic_of;

/// The last event of a job, without its number.
fn end(events: &mut Events) -> String {
    let last = snapshot(events).pop().expect("an event");
    last.trim_start_matches("1 ").to_owned()
}

/// Creates a job that counts bytes up to a total, and has been read.
fn job(total: impl Into<Option<u64>>) -> (Board, Job, Events) {
    let (board, mut events) = board();
    let job = board.add_job(JobOptions::new().total(total));
    snapshot(&mut events);
    (board, job, events)
}

// Rule 5
#[test]
fn an_iterator_that_ends_finishes_its_job() {
    let (board, mut events) = board();
    let sum: u32 = [1, 2, 3].into_iter().progress_on(&board, "a: ").sum();
    assert_eq!(sum, 6);
    let events = snapshot(&mut events);
    assert_eq!(events[0], "1 added: a: ; 0/3");
    assert!(events[1].starts_with("1: 3/3"), "{events:?}");
    assert_eq!(events[2..], ["1 finished"]);
}

// Rule 5
#[test]
fn a_loop_that_is_left_cancels_its_job() {
    for (taken, outcome) in [(0, "cancelled"), (2, "cancelled"), (3, "finished")] {
        let (board, mut events) = board();
        let mut items = (0..3).progress_on(&board, ());
        assert_eq!(items.by_ref().take(taken).count(), taken);
        drop(items);
        assert_eq!(end(&mut events), outcome, "{taken}");
    }
}

#[test]
fn an_iterator_of_unknown_length_finishes_at_its_end_only() {
    for (ends, outcome) in [(true, "finished"), (false, "cancelled")] {
        let (board, mut events) = board();
        let mut items = (0..9).filter(|item| item % 3 == 0).progress_on(&board, ());
        assert_eq!(items.by_ref().take(3).count(), 3);
        assert!(!ends || items.next().is_none());
        drop(items);
        assert_eq!(end(&mut events), outcome);
    }
}

#[test]
fn an_empty_iterator_finishes() {
    let (board, mut events) = board();
    assert_eq!(std::iter::empty::<()>().progress_on(&board, ()).count(), 0);
    assert_eq!(end(&mut events), "finished");
}

// Rule 5
#[test]
fn a_loop_that_panics_has_panicked() {
    let (board, mut events) = board();
    panic_of(|| (0..3).progress_on(&board, ()).for_each(|item| assert!(item < 1, "no disk")));
    assert_eq!(end(&mut events), "panicked");
}

#[test]
fn options_with_a_total_and_a_style_keep_them() {
    let (board, mut events) = board();
    let options = JobOptions::new().total(10).style(ProgressStyle::bar().unit("rows"));
    assert_eq!((0..3).progress_on(&board, options).count(), 3);
    let events = snapshot(&mut events);
    assert_eq!(events[..2], ["1 added: ; 0/10 Named(\"rows\")", "1: 3/10 Named(\"rows\")"]);
}

#[test]
fn a_job_with_other_handles_outlives_its_iterators() {
    let (board, mut events) = board();
    let job = board.add_job(());
    for _ in 0..2 {
        assert_eq!((0..3).progress_with(job.clone()).rev().count(), 3);
    }
    assert_eq!((job.position(), job.is_ended()), (6, false));
    drop(job);
    assert_eq!(end(&mut events), "finished");
}

#[test]
fn a_counted_iterator_has_the_size_of_the_inner_one() {
    let (board, _events) = board();
    let mut items = [1, 2, 3, 4].into_iter().progress_on(&board, ());
    assert_eq!((items.next(), items.next_back()), (Some(1), Some(4)));
    assert_eq!((items.len(), items.size_hint()), (2, (2, Some(2))));
    assert_eq!(items.job().position(), 2);
}

#[test]
fn a_bar_in_one_line_passes_its_items() {
    assert_eq!((0..3).progress("a: ").collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!((0..3).progress(()).take(1).count(), 1);
}

// Rule 5
#[test]
fn a_reader_finishes_at_its_end() {
    let (_board, job, mut events) = job(None);
    let mut text = String::new();
    let mut file = wrap_io(&b"a file"[..], job);
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "a file");
    assert_eq!(snapshot(&mut events), ["1: 6", "1 finished"]);
}

// Rule 5
#[test]
fn a_reader_that_is_dropped_early_was_cancelled() {
    for (total, count, outcome) in
        [(None, 6, "cancelled"), (Some(6), 5, "cancelled"), (Some(6), 6, "finished")]
    {
        let (_board, job, mut events) = job(total);
        let mut file = wrap_io(&b"a file"[..], job);
        file.read_exact(&mut vec![0; count]).unwrap();
        file.read_exact(&mut []).unwrap();
        drop(file);
        assert_eq!(end(&mut events), outcome, "{count} of {total:?}");
    }
}

#[test]
fn lines_and_vectored_reads_are_counted() {
    let (_board, job, mut events) = job(None);
    let mut file = wrap_io(&b"one\ntwo\n"[..], job.clone());
    let mut line = String::new();
    file.read_line(&mut line).unwrap();
    assert_eq!(job.position(), 4);
    let (mut one, mut two) = ([0; 3], [0; 1]);
    let mut buffers = [io::IoSliceMut::new(&mut one), io::IoSliceMut::new(&mut two)];
    assert_eq!(file.read_vectored(&mut buffers).unwrap(), 4);
    assert_eq!(job.position(), 8);
    assert_eq!(file.fill_buf().unwrap(), b"");
    drop((file, job));
    assert_eq!(end(&mut events), "finished");
}

#[test]
fn a_read_error_is_no_end() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("no tape"))
        }
    }
    let (_board, job, mut events) = job(None);
    assert!(wrap_io(Fails, job).read_to_end(&mut Vec::new()).is_err());
    assert_eq!(end(&mut events), "cancelled");
}

#[test]
fn a_seek_sets_the_position() {
    let (_board, job, _events) = job(6);
    let mut file = wrap_io(Cursor::new(b"a file"), job.clone());
    file.read_to_end(&mut Vec::new()).unwrap();
    file.seek(SeekFrom::End(-2)).unwrap();
    assert_eq!(job.position(), 4);
    assert_eq!(file.stream_position().unwrap(), 4);
    file.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(job.position(), 6);
}

// Rule 5
#[test]
fn a_writer_finishes_when_it_says_so_or_reaches_its_total() {
    for (total, finishes, outcome) in
        [(None, false, "cancelled"), (None, true, "finished"), (Some(8), false, "finished")]
    {
        let (_board, job, mut events) = job(total);
        let mut file = wrap_io(Vec::new(), job);
        file.write_all(b"four").unwrap();
        let parts = [io::IoSlice::new(b"fo"), io::IoSlice::new(b"ur")];
        assert_eq!(file.write_vectored(&parts).unwrap(), 4);
        file.flush().unwrap();
        assert_eq!(file.job().position(), 8);
        let written = if finishes { file.finish() } else { file.into_inner() };
        assert_eq!(written, b"fourfour");
        assert_eq!(end(&mut events), outcome);
    }
}

#[test]
fn a_worker_that_reads_a_file_goes_on_after_its_end() {
    let (_board, job, mut events) = job(None);
    for _ in 0..2 {
        io::copy(&mut wrap_io(&b"a file"[..], job.clone()), &mut io::sink()).unwrap();
        assert!(!job.is_ended());
    }
    job.set_text("another step");
    assert_eq!(snapshot(&mut events), ["1: text another step; 12"]);
}

#[cfg(feature = "futures-io")]
mod of_futures {
    use futures::executor::block_on;
    use futures::io::{
        AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, Cursor, SeekFrom,
    };

    use super::{end, job, wrap_io};

    // Rule 5
    #[test]
    fn an_asynchronous_reader_finishes_at_its_end() {
        let (_board, job, mut events) = job(None);
        let mut file = wrap_io(&b"one\ntwo\n"[..], job.clone());
        let (mut line, mut rest) = (String::new(), String::new());
        block_on(file.read_line(&mut line)).unwrap();
        assert_eq!(job.position(), 4);
        block_on(file.read_to_string(&mut rest)).unwrap();
        assert_eq!((line.as_str(), rest.as_str(), job.position()), ("one\n", "two\n", 8));
        drop((file, job));
        assert_eq!(end(&mut events), "finished");
    }

    // Rule 5
    #[test]
    fn an_asynchronous_writer_finishes_when_it_is_closed() {
        for (closes, outcome) in [(true, "finished"), (false, "cancelled")] {
            let (_board, job, mut events) = job(None);
            let mut file = wrap_io(Cursor::new(Vec::new()), job.clone());
            block_on(file.write_all(b"four")).unwrap();
            block_on(file.seek(SeekFrom::Start(1))).unwrap();
            assert_eq!(job.position(), 1);
            drop(job);
            if closes {
                block_on(file.close()).unwrap();
            } else {
                drop(file);
            }
            assert_eq!(end(&mut events), outcome);
        }
    }
}

#[cfg(feature = "tokio")]
mod of_tokio {
    use std::io::{Cursor, SeekFrom};
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};

    use super::{end, job, wrap_io};

    // Rule 5
    #[test]
    fn a_reader_of_tokio_finishes_at_its_end() {
        let (_board, job, mut events) = job(None);
        let cx = &mut Context::from_waker(Waker::noop());
        let mut file = wrap_io(&b"a file"[..], job.clone());
        let mut bytes = [0; 4];
        let mut buffer = ReadBuf::new(&mut bytes);
        assert!(Pin::new(&mut file).poll_read(cx, &mut buffer).is_ready());
        assert!(Pin::new(&mut file).poll_read(cx, &mut buffer).is_ready(), "a full buffer");
        assert_eq!(job.position(), 4);
        Pin::new(&mut file).consume(1);
        assert_eq!(job.position(), 5);
        drop(job);
        let mut rest = [0; 4];
        let mut rest = ReadBuf::new(&mut rest);
        assert!(Pin::new(&mut file).poll_read(cx, &mut rest).is_ready());
        assert!(Pin::new(&mut file).poll_read(cx, &mut rest).is_ready());
        assert_eq!((buffer.filled(), rest.filled()), (&b"a fi"[..], &b"e"[..]));
        assert_eq!(end(&mut events), "finished");
    }

    // Rule 5
    #[test]
    fn a_writer_of_tokio_finishes_when_it_is_shut_down() {
        for (closes, outcome) in [(true, "finished"), (false, "cancelled")] {
            let (_board, job, mut events) = job(None);
            let cx = &mut Context::from_waker(Waker::noop());
            let mut file = wrap_io(Cursor::new(Vec::new()), job.clone());
            let written = Pin::new(&mut file).poll_write(cx, b"four");
            assert!(matches!(written, Poll::Ready(Ok(4))));
            assert_eq!(job.position(), 4);
            Pin::new(&mut file).start_seek(SeekFrom::Start(1)).unwrap();
            assert!(Pin::new(&mut file).poll_complete(cx).is_ready());
            assert_eq!(job.position(), 1);
            drop(job);
            assert!(!closes || Pin::new(&mut file).poll_shutdown(cx).is_ready());
            drop(file);
            assert_eq!(end(&mut events), outcome);
        }
    }
}

#[cfg(feature = "rayon")]
mod of_rayon {
    use active_status::progress::ParallelProgressIterator;
    use rayon::prelude::*;

    use super::{board, end, panic_of, snapshot};

    // Rule 5
    #[test]
    fn a_parallel_iterator_counts_every_item_and_finishes() {
        let (board, mut events) = board();
        let items = (0..10_000_u64).into_par_iter();
        assert_eq!(items.progress_on(&board, "a: ").sum::<u64>(), 49_995_000);
        let events = snapshot(&mut events);
        assert_eq!(events[0], "1 added: a: ; 0/10000");
        assert!(events[1].starts_with("1: 10000/10000"), "{events:?}");
        assert_eq!(events[2..], ["1 finished"]);
    }

    // Rule 5
    #[test]
    fn a_parallel_iterator_without_a_length_finishes() {
        let (board, mut events) = board();
        let items = (0..1_000_u64).into_par_iter().filter(|item| item % 2 == 0);
        assert_eq!(items.progress_on(&board, "a: ").count(), 500);
        let events = snapshot(&mut events);
        assert_eq!(events[0], "1 added: a: ; 0");
        assert_eq!(events.last().unwrap(), "1 finished");
    }

    #[test]
    fn the_items_of_an_indexed_iterator_keep_their_order() {
        let (board, mut events) = board();
        let items: Vec<usize> = (0..1_000).into_par_iter().progress_on(&board, ()).rev().collect();
        assert!(items.into_iter().eq((0..1_000).rev()));
        assert_eq!(end(&mut events), "finished");
    }

    // Rule 5
    #[test]
    fn a_parallel_iterator_that_stops_early_was_cancelled() {
        for indexed in [true, false] {
            let (board, mut events) = board();
            let items = (0..1_000_000_u64).into_par_iter();
            let result: Result<(), u64> = if indexed {
                items.progress_on(&board, ()).try_for_each(Err)
            } else {
                items.filter(|_| true).progress_on(&board, ()).try_for_each(Err)
            };
            assert!(result.is_err());
            assert_eq!(end(&mut events), "cancelled", "indexed: {indexed}");
        }
        let (board, mut events) = board();
        drop((0..3).into_par_iter().progress_on(&board, ()));
        assert_eq!(end(&mut events), "cancelled");
    }

    // Rule 5
    #[test]
    fn a_parallel_iterator_that_panics_has_panicked() {
        let (board, mut events) = board();
        panic_of(|| {
            let items = (0..3).into_par_iter().progress_on(&board, ());
            items.for_each(|item| assert!(item > 3, "no disk"));
        });
        assert_eq!(end(&mut events), "panicked");
    }
}
