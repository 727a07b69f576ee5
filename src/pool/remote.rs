//! A worker that runs in a separate task.

#[cfg(all(test, active_status_loom))]
mod models;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use crate::pool::lock::{Mutex, MutexGuard, lock};
use crate::pool::worker_events::{Panic, catch};

/// The number of items that a driver computes before it yields to its executor.
const BUDGET: u32 = 32;

/// Runs a worker in a separate task, for example on another core.
///
/// Returns a future that polls the worker, and a stream of the worker's items. The
/// future may run anywhere: `tokio::spawn`, `smol::spawn`, or a thread that blocks
/// on it. It continues while the consumer of the stream is busy, and is at most
/// `ahead` + 1 items ahead. The stream is a worker like any other.
///
/// The stream ends when the worker ends. A panic of the worker continues in the
/// stream. If the stream is dropped, the future is woken, drops the worker and ends.
/// If the future is dropped, the stream ends after the items that are computed.
///
/// # Examples
///
/// A pool of four workers on the threads of tokio:
///
/// ```
/// use active_status::workers::remote;
/// use active_status::{WorkQueue, run_workers};
/// use futures::{StreamExt, stream};
///
/// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
/// let numbers = WorkQueue::new(stream::iter(1..=100_u64));
/// let pool = run_workers(4, |_| {
///     let (driver, worker) = remote(numbers.clone().map(|n| n * n), 1);
///     tokio::spawn(driver);
///     worker
/// });
/// assert_eq!(pool.fold(0, |sum, n| async move { sum + n }).await, 338_350);
/// # });
/// ```
pub fn remote<S: Stream>(worker: S, ahead: usize) -> (Driver<S>, Remote<S::Item>) {
    let link = Arc::new(Mutex::new(Link {
        items: VecDeque::new(),
        reader: None,
        driver: None,
        driver_is_gone: false,
        reader_is_gone: false,
        panic: None,
    }));
    let end = EndOnDrop { link: Arc::clone(&link) };
    (Driver { worker: Some(worker), ahead, end }, Remote { link })
}

/// What both ends share.
struct Link<T> {
    items: VecDeque<T>,
    /// The task that waits for an item.
    reader: Option<Waker>,
    /// The task of the driver, unless it runs.
    driver: Option<Waker>,
    driver_is_gone: bool,
    reader_is_gone: bool,
    panic: Option<Panic>,
}

pin_project! {
    /// The future of [`remote`], which polls the worker.
    #[must_use = "a remote worker does nothing unless its driver is polled"]
    pub struct Driver<S: Stream> {
        // Declared before the end, and therefore dropped before the stream ends.
        #[pin]
        worker: Option<S>,
        ahead: usize,
        end: EndOnDrop<S::Item>,
    }
}

/// Ends the stream.
struct EndOnDrop<T> {
    link: Arc<Mutex<Link<T>>>,
}

impl<T> EndOnDrop<T> {
    fn end(&self, panic: Option<Panic>) {
        let mut link = lock(&self.link);
        link.driver_is_gone = true;
        if panic.is_some() {
            link.panic = panic;
        }
        let wakers = (link.reader.take(), link.driver.take());
        drop(link);
        if let (Some(reader), _driver) = wakers {
            reader.wake();
        }
    }
}

impl<T> Drop for EndOnDrop<T> {
    fn drop(&mut self) {
        self.end(None);
    }
}

impl<S: Stream> Future for Driver<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let mut left = BUDGET;
        loop {
            let Some(worker) = this.worker.as_mut().as_pin_mut() else { return Poll::Ready(()) };
            if left == 0 {
                cx.waker().wake_by_ref();
            }
            match wait(&this.end.link, *this.ahead, left == 0, cx) {
                Turn::Poll => left -= 1,
                Turn::Wait => return Poll::Pending,
                Turn::End => {
                    this.worker.set(None);
                    this.end.end(None);
                    return Poll::Ready(());
                }
            }
            let panic = match catch(|| worker.poll_next(cx)) {
                Ok(Poll::Ready(Some(item))) => {
                    let mut link = lock(&this.end.link);
                    link.items.push_back(item);
                    let reader = link.reader.take();
                    drop(link);
                    if let Some(reader) = reader {
                        reader.wake();
                    }
                    continue;
                }
                Ok(Poll::Pending) => {
                    // It is woken by the worker, or by the drop of the stream.
                    match wait(&this.end.link, usize::MAX, true, cx) {
                        Turn::End => continue,
                        Turn::Poll | Turn::Wait => return Poll::Pending,
                    }
                }
                Ok(Poll::Ready(None)) => catch(|| this.worker.set(None)).err(),
                Err(panic) => {
                    // The first panic counts.
                    let _second = catch(|| this.worker.set(None));
                    Some(panic)
                }
            };
            this.end.end(panic);
            return Poll::Ready(());
        }
    }
}

/// What a driver does next.
enum Turn {
    Poll,
    Wait,
    End,
}

/// Returns whether the driver may poll its worker. If not, or if it must wait, its task is
/// woken once there is room or the stream is dropped.
fn wait<T>(link: &Mutex<Link<T>>, ahead: usize, must_wait: bool, cx: &Context<'_>) -> Turn {
    let mut waker = Some(cx.waker().clone());
    let mut link = lock(link);
    if link.reader_is_gone {
        return Turn::End;
    }
    let turn = if must_wait || link.items.len() > ahead { Turn::Wait } else { Turn::Poll };
    if matches!(turn, Turn::Wait) {
        // The waker that it replaces is dropped outside of the lock.
        std::mem::swap(&mut link.driver, &mut waker);
    }
    drop(link);
    turn
}

impl<S: Stream> fmt::Debug for Driver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("ahead", &self.ahead)
            .field("ended", &self.worker.is_none())
            .finish_non_exhaustive()
    }
}

/// The items of a worker that runs elsewhere; see [`remote`].
#[must_use = "streams do nothing unless polled"]
pub struct Remote<T> {
    link: Arc<Mutex<Link<T>>>,
}

impl<T> Remote<T> {
    fn link(&self) -> MutexGuard<'_, Link<T>> {
        lock(&self.link)
    }
}

impl<T> Stream for Remote<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut waker = Some(cx.waker().clone());
        let mut link = self.link();
        if let Some(item) = link.items.pop_front() {
            let driver = link.driver.take();
            drop(link);
            if let Some(driver) = driver {
                driver.wake();
            }
            return Poll::Ready(Some(item));
        }
        if link.driver_is_gone {
            let panic = link.panic.take();
            drop(link);
            return panic.map_or(Poll::Ready(None), |panic| panic.resume());
        }
        // The waker that it replaces is dropped outside of the lock.
        std::mem::swap(&mut link.reader, &mut waker);
        drop(link);
        Poll::Pending
    }
}

impl<T> FusedStream for Remote<T> {
    fn is_terminated(&self) -> bool {
        let link = self.link();
        link.driver_is_gone && link.items.is_empty() && link.panic.is_none()
    }
}

impl<T> Drop for Remote<T> {
    fn drop(&mut self) {
        let mut link = self.link();
        link.reader_is_gone = true;
        let (items, driver, reader) =
            (std::mem::take(&mut link.items), link.driver.take(), link.reader.take());
        drop(link);
        if let Some(driver) = driver {
            driver.wake();
        }
        drop((items, reader));
    }
}

impl<T> fmt::Debug for Remote<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (items, ended) = {
            let link = self.link();
            (link.items.len(), link.driver_is_gone)
        };
        f.debug_struct("Remote")
            .field("items", &items)
            .field("ended", &ended)
            .finish_non_exhaustive()
    }
}
