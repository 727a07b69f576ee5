//! An asynchronous function for each item, by workers that have rows.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::board::Board;
use crate::board::job::style::ProgressStyle;
use crate::board::job::{Job, JobOptions};
use crate::pool::{FromIter, Merge, WorkQueue, WorkerId, run_workers};
use crate::with_status::{OnItem, OpenRow, StatusOptions};

impl<F> StatusOptions<F> {
    /// Calls an asynchronous function for each item, by workers that have rows.
    ///
    /// As [`map_workers`](crate::map_workers), and the function also receives the
    /// [`Job`] of its worker's row. If the number of items is known, a pinned row
    /// below the others shows how many are done, the rate and the time left, and no
    /// more workers are started than there are items.
    ///
    /// With [`fail_on_err`](StatusOptions::fail_on_err), a result that is an `Err`
    /// fails the row, which stays on the board with the error. The worker continues
    /// with a new row. The row of a worker that just finishes leaves no trace, unless
    /// [`transient(false)`](Self::transient) says otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use active_status::StatusOptions;
    /// use active_status::testing::{Screen, VirtualClock};
    /// use futures::StreamExt;
    ///
    /// # futures::executor::block_on(async {
    /// let (board, mut events) = VirtualClock::new().board();
    /// let mut screen = Screen::new(60, 10);
    ///
    /// let urls = ["a.example", "b.example", "c.example"];
    /// let options = StatusOptions::new().fail_on_err();
    /// let mut pages = options.map_workers(&board, 1, urls, async |job, url| {
    ///     job.set_text(url);
    ///     if url.starts_with('b') { Err("not found") } else { Ok(url.len()) }
    /// });
    /// let (_worker, page) = pages.next().await.unwrap();
    /// assert_eq!(page, Ok(9));
    /// let (_worker, page) = pages.next().await.unwrap();
    /// assert_eq!(page, Err("not found"));
    ///
    /// let rows = screen.show(&mut events).rows();
    /// assert_eq!(rows[0], "✗ worker  1  b.example  not found");
    /// assert_eq!(rows[1], "⠋ worker  1  waiting");
    /// assert!(rows[2].ends_with(" 66%  2/3"), "{rows:?}");
    /// # });
    /// ```
    pub fn map_workers<B, I, R, G>(
        self,
        board: &B,
        count: usize,
        items: I,
        function: G,
    ) -> Merge<impl Stream<Item = (WorkerId, R)> + use<B, I, R, G, F>>
    where
        B: AsRef<Board>,
        I: IntoIterator,
        F: OnItem<R> + Clone,
        G: AsyncFn(Job, I::Item) -> R,
    {
        let options = Self { transient: Some(self.transient != Some(false)), ..self };
        let items = FromIter::new(items);
        let board = board.as_ref().clone();
        let len = items.exact_len();
        let total = len.map(|len| Arc::new(Total::new(&board, len)));
        let (items, function) = (WorkQueue::new(items), Arc::new(function));
        run_workers(len.map_or(count, |len| len.min(count)), |id| {
            let function = Arc::clone(&function);
            MapRows {
                items: items.clone(),
                call: move |job, item| {
                    let function = Arc::clone(&function);
                    async move { function(job, item).await }
                },
                running: None,
                on_item: options.on_item.clone(),
                row: OpenRow::new(board.add_job(options.job(id))),
                complete_text: options.complete_text.clone(),
                next_row: NextRow { board: board.clone(), options: options.job(id) },
                total: total.clone(),
                id,
            }
        })
    }
}

/// The pinned row of all items.
struct Total {
    job: Job,
    items: u64,
    done: AtomicU64,
}

impl Total {
    fn new(board: &Board, items: usize) -> Self {
        let items = u64::try_from(items).unwrap_or(u64::MAX);
        let options = JobOptions::new().pinned(true).total(items);
        let job = board.add_job(options.style(ProgressStyle::bar().rate().eta()));
        if items == 0 {
            job.finish();
        }
        Self { job, items, done: AtomicU64::new(0) }
    }

    fn count(&self) {
        self.job.tick();
        if self.done.fetch_add(1, Relaxed) + 1 == self.items {
            self.job.finish();
        }
    }
}

/// What it takes to give a worker another row.
struct NextRow {
    board: Board,
    options: JobOptions,
}

pin_project! {
    /// A worker of [`StatusOptions::map_workers`].
    struct MapRows<Q, C, R, F> {
        items: Q,
        call: C,
        #[pin]
        running: Option<R>,
        on_item: F,
        // Declared after the future, and therefore dropped after it.
        row: OpenRow,
        complete_text: String,
        next_row: NextRow,
        total: Option<Arc<Total>>,
        id: WorkerId,
    }
}

impl<Q, C, R, F> Stream for MapRows<Q, C, R, F>
where
    Q: Stream + Unpin,
    C: FnMut(Job, Q::Item) -> R,
    R: Future,
    F: OnItem<R::Output>,
{
    type Item = (WorkerId, R::Output);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        this.row.polling = true;
        if this.running.is_none() {
            let Poll::Ready(item) = Pin::new(this.items).poll_next(cx) else {
                this.row.polling = false;
                return Poll::Pending;
            };
            let Some(item) = item else {
                this.row.complete(this.complete_text);
                this.row.polling = false;
                return Poll::Ready(None);
            };
            let running = (this.call)(this.row.job.clone(), item);
            this.running.set(Some(running));
        }
        let running = this.running.as_mut().as_pin_mut().expect("it was set above");
        let Poll::Ready(output) = running.poll(cx) else {
            this.row.polling = false;
            return Poll::Pending;
        };
        this.running.set(None);
        let failure = this.on_item.on_item(&this.row.job, &output);
        this.row.polling = false;
        if let Some(message) = failure {
            this.row.job.fail(message);
            *this.row = OpenRow::new(this.next_row.board.add_job(this.next_row.options.clone()));
        }
        if let Some(total) = this.total {
            total.count();
        }
        Poll::Ready(Some((*this.id, output)))
    }
}
