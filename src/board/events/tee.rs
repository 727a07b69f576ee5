//! The same events for several readers.

use std::array;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_core::{FusedStream, Stream};

use crate::board::channel::Lines;
use crate::board::event::{Change, Event, JobId};
use crate::board::lock::ignore_poison;

/// The same events for `N` readers, each at a pace of its own.
///
/// A reader takes what waits for it, and else the next event, which then waits
/// for the others. For each of them news merges meanwhile as it does on the
/// board: of the changes of a job one waits, with the latest values, so at most
/// three events a job, and the last state of every job arrives. At most 65,536
/// printed lines or 16 MiB of them wait; beyond that the newest are left out for
/// this reader, and a line `… 12 lines not shown` stands in their place.
///
/// A reader that is dropped costs nothing any more. The events are dropped when
/// they end, or with the last reader.
///
/// How often the board is looked at, and so what a tick costs, is up to the
/// reader that looks most: let each of them rest, as a
/// [`Console`](crate::Console) does, or tee [sampled](crate::Events::sampled)
/// events.
///
/// # Panics
///
/// A poll panics if the events do. For the other readers that is the end.
///
/// # Cancel safety
///
/// No event is lost when a future that borrows a reader is dropped.
///
/// # Examples
///
/// A board on the terminal and in a log at the same time:
///
/// ```
/// use active_status::{Console, board, tee};
///
/// let (board, events) = board();
/// let [screen, log] = tee(events);
/// let screen = Console::auto().start(screen);
/// let log = Console::plain().output(Vec::new()).start(log);
/// board.add_job("copy: ").finish();
/// board.close();
/// screen.shutdown();
/// log.shutdown();
/// ```
pub fn tee<S: Stream<Item = Event>, const N: usize>(events: S) -> [Tee<S>; N] {
    let readers = array::from_fn::<_, N, _>(|_| Some(Reader::default())).into();
    let state = State { source: Source::Here(Box::pin(events)), readers };
    let wakers = Wakers(Mutex::new(array::from_fn::<_, N, _>(|_| None).into()));
    let shared = Arc::new(Shared { state: Mutex::new(state), wakers: Arc::new(wakers) });
    array::from_fn(|number| Tee { shared: Arc::clone(&shared), number, ended: false })
}

/// One of the streams of [`tee`].
#[must_use = "streams do nothing unless polled"]
pub struct Tee<S> {
    shared: Arc<Shared<S>>,
    number: usize,
    ended: bool,
}

struct Shared<S> {
    state: Mutex<State<S>>,
    wakers: Arc<Wakers>,
}

/// No foreign code runs while it is locked.
struct State<S> {
    source: Source<S>,
    /// `None` when it was dropped.
    readers: Vec<Option<Reader>>,
}

/// Where the events are.
enum Source<S> {
    Here(Pin<Box<S>>),
    /// A reader polls them. Others may have come meanwhile, and wait.
    Polled {
        waited_for: bool,
    },
    Ended,
}

impl<S: Stream<Item = Event>> Stream for Tee<S> {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let polled = match self.shared.take(self.number) {
            Some(event) => Poll::Ready(Some(event)),
            None => {
                // Before the look, so that whatever comes after it wakes.
                self.shared.wakers.listen(self.number, cx.waker());
                let polled = self.shared.poll(self.number);
                if polled.is_ready() {
                    self.shared.wakers.forget(self.number);
                }
                polled
            }
        };
        self.ended = matches!(polled, Poll::Ready(None));
        polled
    }
}

impl<S: Stream<Item = Event>> FusedStream for Tee<S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<S> Drop for Tee<S> {
    fn drop(&mut self) {
        let _reader = self.shared.state().readers[self.number].take();
        self.shared.wakers.forget(self.number);
    }
}

impl<S> fmt::Debug for Tee<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.shared.state().reader(self.number).waiting.len();
        f.debug_struct("Tee")
            .field("waiting", &waiting)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl<S> Shared<S> {
    fn state(&self) -> MutexGuard<'_, State<S>> {
        ignore_poison(self.state.lock())
    }

    /// What waits for this reader.
    fn take(&self, number: usize) -> Option<Event> {
        self.state().reader(number).take()
    }
}

impl<S: Stream<Item = Event>> Shared<S> {
    /// What waits for this reader, or else the next event.
    fn poll(&self, number: usize) -> Poll<Option<Event>> {
        let mut state = self.state();
        if let Some(event) = state.reader(number).take() {
            return Poll::Ready(Some(event));
        }
        let events = match mem::replace(&mut state.source, Source::Polled { waited_for: false }) {
            Source::Here(events) => events,
            Source::Polled { .. } => {
                state.source = Source::Polled { waited_for: true };
                return Poll::Pending;
            }
            Source::Ended => {
                state.source = Source::Ended;
                return Poll::Ready(None);
            }
        };
        drop(state);
        Turn { shared: self, number, events: Some(events), news: false }.poll()
    }
}

impl<S> State<S> {
    fn reader(&mut self, number: usize) -> &mut Reader {
        self.readers[number].as_mut().expect("the one who asks was not dropped")
    }

    /// Tells the readers but this one.
    fn tell_others(&mut self, number: usize, event: &Event) {
        let others = self.readers.iter_mut().enumerate().filter(|(other, _)| *other != number);
        others.filter_map(|(_, reader)| reader.as_mut()).for_each(|reader| reader.add(event));
    }
}

/// A reader's turn to poll the events. However it ends, the others do not wait
/// for it any more.
struct Turn<'a, S> {
    shared: &'a Shared<S>,
    number: usize,
    /// What goes back; `None` when they ended, and while they are polled, so that
    /// a panic is their end.
    events: Option<Pin<Box<S>>>,
    /// Whether there is something for the others.
    news: bool,
}

impl<S: Stream<Item = Event>> Turn<'_, S> {
    fn poll(&mut self) -> Poll<Option<Event>> {
        let Some(mut events) = self.events.take() else { return Poll::Ready(None) };
        let waker = Waker::from(Arc::clone(&self.shared.wakers));
        let polled = events.as_mut().poll_next(&mut Context::from_waker(&waker));
        if let Poll::Ready(Some(event)) = &polled {
            self.news = true;
            self.shared.state().tell_others(self.number, event);
        }
        self.events = (!matches!(polled, Poll::Ready(None))).then_some(events);
        polled
    }
}

impl<S> Drop for Turn<'_, S> {
    fn drop(&mut self) {
        let source = self.events.take().map_or(Source::Ended, Source::Here);
        let ended = matches!(source, Source::Ended);
        let before = mem::replace(&mut self.shared.state().source, source);
        let waited_for = matches!(before, Source::Polled { waited_for: true });
        if self.news || ended || waited_for {
            self.shared.wakers.wake_those(|number| number != self.number);
        }
    }
}

/// What waits for one reader.
#[derive(Default)]
struct Reader {
    waiting: VecDeque<Event>,
    /// How many were taken from the front.
    taken: usize,
    /// The changes that wait, and where: counted from the first event of all.
    changes: BTreeMap<JobId, usize>,
    lines: Lines,
}

impl Reader {
    fn add(&mut self, event: &Event) {
        let place = self.taken + self.waiting.len();
        match event {
            Event::Changed { at, job, change } => {
                if let Some((old_at, old)) = self.waiting_change(*job) {
                    *old_at = *at;
                    return old.merge(change);
                }
                self.changes.insert(*job, place);
            }
            // What is said of a job after this is another matter.
            Event::Added { job, .. } | Event::Ended { job, .. } => {
                self.changes.remove(job);
            }
            Event::Closed { .. } => self.changes.clear(),
            Event::Line { text, .. } if !self.lines.admit(text.len()) => return,
            Event::Line { .. } => {}
        }
        self.waiting.push_back(event.clone());
    }

    fn waiting_change(&mut self, job: JobId) -> Option<(&mut Duration, &mut Change)> {
        let place = self.changes.get(&job)? - self.taken;
        match &mut self.waiting[place] {
            Event::Changed { at, change, .. } => Some((at, change)),
            _ => None,
        }
    }

    fn take(&mut self) -> Option<Event> {
        let event = self.waiting.pop_front()?;
        match &event {
            Event::Changed { job, .. } if self.changes.get(job) == Some(&self.taken) => {
                self.changes.remove(job);
            }
            Event::Line { at, text } => {
                if let Some(left_out) = self.lines.take(text.len()) {
                    // In the place of the line that is taken.
                    self.lines.admit(left_out.len());
                    self.waiting.push_front(Event::Line { at: *at, text: left_out });
                    return Some(event);
                }
            }
            _ => {}
        }
        self.taken += 1;
        Some(event)
    }
}

/// Who is woken by the events. Wakers are foreign code: they are called and
/// dropped while nothing is locked.
#[derive(Default)]
struct Wakers(Mutex<Vec<Option<Waker>>>);

impl Wakers {
    fn lock(&self) -> MutexGuard<'_, Vec<Option<Waker>>> {
        ignore_poison(self.0.lock())
    }

    fn listen(&self, number: usize, waker: &Waker) {
        let waker = waker.clone();
        let _before = self.lock()[number].replace(waker);
    }

    fn forget(&self, number: usize) {
        let _before = self.lock()[number].take();
    }

    fn wake_those(&self, who: impl Fn(usize) -> bool) {
        let mut wakers = Vec::new();
        for (number, waker) in self.lock().iter_mut().enumerate() {
            wakers.extend(waker.take_if(|_| who(number)));
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_those(|_| true);
    }
}
