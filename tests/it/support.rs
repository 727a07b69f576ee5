//! The harness for merges: a parent that counts its wakes, and children that follow a
//! list of steps. Nothing here waits: a lost wake makes a test fail, not hang.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures::Stream;

/// An empty array of a known type. With the comparisons of serde_json, the type of `[]`
/// is ambiguous.
pub(crate) const NO_ITEMS: [usize; 0] = [];

/// A parent task that polls by hand and counts its wakes.
pub(crate) struct Parent {
    wakes: Arc<Wakes>,
    waker: Waker,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Parent {
    pub(crate) fn new() -> Self {
        let wakes = Arc::new(Wakes::default());
        Self { waker: Waker::from(wakes.clone()), wakes }
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Returns the number of wakes since the last call.
    pub(crate) fn take_wakes(&self) -> usize {
        self.wakes.0.swap(0, Ordering::SeqCst)
    }

    /// Returns how many of this parent's wakers are held elsewhere.
    pub(crate) fn held(&self) -> usize {
        Arc::strong_count(&self.wakes) - 2
    }

    /// Calls `poll_next` once.
    pub(crate) fn poll<S: Stream + Unpin>(&self, stream: &mut S) -> Poll<Option<S::Item>> {
        Pin::new(stream).poll_next(&mut Context::from_waker(&self.waker))
    }

    /// Returns the items until the stream ends, or is pending without having woken the
    /// parent.
    pub(crate) fn drain<S: Stream + Unpin>(&self, stream: &mut S) -> Vec<S::Item> {
        let mut items = Vec::new();
        while let Some(item) = self.next(stream) {
            items.push(item);
        }
        items
    }

    /// Returns the next `count` items, which must arrive without a wake from outside.
    #[track_caller]
    pub(crate) fn items<S: Stream + Unpin>(&self, stream: &mut S, count: usize) -> Vec<S::Item> {
        let next = |_| self.next(stream).expect("the stream ended or waits: an item is missing");
        (0..count).map(next).collect()
    }

    /// Polls until there is an item, as an executor would: after `Pending` only if woken.
    fn next<S: Stream + Unpin>(&self, stream: &mut S) -> Option<S::Item> {
        loop {
            self.take_wakes();
            match self.poll(stream) {
                Poll::Ready(item) => return item,
                Poll::Pending if self.take_wakes() == 0 => return None,
                Poll::Pending => {}
            }
        }
    }
}

/// What a child does in one poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Yields its number.
    Item,
    /// Returns `Pending`.
    Idle,
    /// Yields its number if [`Handle::send`] was called more often than it has yielded.
    Sent,
    /// Wakes itself, then returns `Pending`.
    WakeIdle,
    /// Wakes itself, then yields its number.
    WakeItem,
    /// Wakes itself, then returns `None`.
    WakeEnd,
    /// Returns `None`.
    End,
    /// Panics with "poll".
    Panic,
}

/// A stream that follows its steps and then repeats the last step. Polling it after its
/// end panics.
pub(crate) struct Child {
    number: usize,
    steps: Vec<Step>,
    next: usize,
    panics_on_drop: bool,
    seen: Arc<Seen>,
}

/// The handle with which a test observes and controls a child.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Seen>);

#[derive(Default)]
struct Seen {
    polls: AtomicUsize,
    drops: AtomicUsize,
    sent: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

/// Creates a child and its handle.
pub(crate) fn child(number: usize, steps: &[Step]) -> (Child, Handle) {
    let seen = Arc::new(Seen::default());
    let handle = Handle(seen.clone());
    (Child { number, steps: steps.to_vec(), next: 0, panics_on_drop: false, seen }, handle)
}

/// Creates the children 0 to `count` - 1 with the same steps.
pub(crate) fn children(count: usize, steps: &[Step]) -> (Vec<Child>, Vec<Handle>) {
    (0..count).map(|number| child(number, steps)).unzip()
}

impl Child {
    /// Makes the drop of the child panic with "drop".
    pub(crate) fn panics_on_drop(mut self) -> Self {
        self.panics_on_drop = true;
        self
    }

    /// Returns the number that the child yields.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Replaces the steps from here on.
    pub(crate) fn follow(&mut self, steps: &[Step]) {
        self.steps = steps.to_vec();
        self.next = 0;
    }
}

impl Handle {
    /// Returns how often the child was polled.
    pub(crate) fn polls(&self) -> usize {
        self.0.polls.load(Ordering::SeqCst)
    }

    /// Returns how often the child was dropped.
    pub(crate) fn drops(&self) -> usize {
        self.0.drops.load(Ordering::SeqCst)
    }

    /// Returns the waker of the child's last poll.
    #[track_caller]
    pub(crate) fn waker(&self) -> Waker {
        self.0.waker.lock().unwrap().clone().expect("the child was not polled")
    }

    /// Wakes the child through its waker.
    #[track_caller]
    pub(crate) fn wake(&self) {
        self.waker().wake();
    }

    /// Lets a child at [`Step::Sent`] yield one more item, and wakes it.
    #[track_caller]
    pub(crate) fn send(&self) {
        self.0.sent.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }
}

impl Stream for Child {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        self.seen.polls.fetch_add(1, Ordering::SeqCst);
        *self.seen.waker.lock().unwrap() = Some(cx.waker().clone());
        let step = self.steps[self.next.min(self.steps.len() - 1)];
        let over = self.next > 0 && matches!(self.steps[self.next - 1], Step::End | Step::WakeEnd);
        assert!(!over, "polled after its end");
        self.next = self.steps.len().min(self.next + 1);
        if matches!(step, Step::WakeIdle | Step::WakeItem | Step::WakeEnd) {
            cx.waker().wake_by_ref();
        }
        match step {
            Step::Item | Step::WakeItem => Poll::Ready(Some(self.number)),
            Step::Idle | Step::WakeIdle => Poll::Pending,
            Step::Sent if self.seen.sent.load(Ordering::SeqCst) == 0 => Poll::Pending,
            Step::Sent => {
                self.seen.sent.fetch_sub(1, Ordering::SeqCst);
                Poll::Ready(Some(self.number))
            }
            Step::End | Step::WakeEnd => Poll::Ready(None),
            Step::Panic => panic!("poll"),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.seen.drops.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics_on_drop, "drop");
    }
}

/// Runs `act`, which must panic. Returns the panic message.
#[track_caller]
pub(crate) fn panic_of<T>(act: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(act)) else { panic!("it did not panic") };
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => {
            payload.downcast::<&str>().map_or_else(|_| String::new(), |text| (*text).into())
        }
    }
}

/// Runs a test that might wait forever if a wake were lost; then it fails.
#[track_caller]
pub(crate) fn within_a_minute<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    let thread = thread::spawn(move || {
        let result = act();
        done.send(()).unwrap();
        result
    });
    let timeout = result.recv_timeout(Duration::from_secs(60));
    assert_ne!(timeout, Err(mpsc::RecvTimeoutError::Timeout), "a wake was lost");
    thread.join().unwrap_or_else(|payload| resume_unwind(payload))
}
