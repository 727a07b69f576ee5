//! Eight workers take records from one channel and migrate them. The results form one
//! stream.
//!
//! ```sh
//! cargo run --example driver
//! ```

use active_status::{Console, Job, run_workers, wrap_with_status};
use async_channel::Receiver;
use smol::stream::{self, Stream, StreamExt};

const RECORDS: u64 = 1_000;

fn main() {
    let board = Console::auto().open();
    let (sender, records) = async_channel::bounded(16);
    let source = async move {
        for record in 1..=RECORDS {
            sender.send(record).await.expect("the workers take every record");
        }
    };
    let pool = wrap_with_status(&board, |job| migrate(job, records.clone()));
    let migrated = run_workers(8, pool).fold(Vec::new(), |mut migrated, record| {
        migrated.push(record);
        migrated
    });
    let (_, mut migrated) = smol::block_on(smol::future::zip(source, migrated));
    board.shutdown();

    // Every record is migrated once, in an order that depends on the workers.
    migrated.sort_unstable();
    assert!(migrated.into_iter().eq((1..=RECORDS).map(|record| record * record)));
}

/// A worker that takes records until the channel is closed.
fn migrate(job: Job, records: Receiver<u64>) -> impl Stream<Item = u64> {
    stream::unfold((job, records), |(job, records)| async {
        let record = records.recv().await.ok()?;
        job.set_text(format_args!("record {record}"));
        job.tick();
        Some((record * record, (job, records)))
    })
}
