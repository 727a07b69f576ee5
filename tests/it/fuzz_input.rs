//! The fuzzer's input: any bytes are a sequence of operations, and a small change of the
//! bytes is a small change of the operations.

use crate::oracle::{Act, Life, Op, Then, follow};

/// The maximum number of operations, and of children added by extension, because the
/// oracle is slow.
const MOST: usize = 400;
const MOST_EXTENDED: usize = 300;

/// Executes the operations that the bytes encode.
pub(crate) fn follow_bytes(bytes: &[u8]) -> Result<(), String> {
    let mut bytes = Bytes { left: bytes, may_panic_on_drop: true, room: MOST_EXTENDED };
    let budget = match bytes.next() & 7 {
        small @ 0..5 => small.into(),
        5 => u32::MAX,
        _ => 32,
    };
    let announced = bytes.name();
    follow(budget, announced, std::iter::from_fn(|| bytes.op()).take(MOST))
}

struct Bytes<'a> {
    left: &'a [u8],
    /// Whether the drop of a child may still panic, which is allowed once.
    may_panic_on_drop: bool,
    /// How many more children may be added by extension.
    room: usize,
}

impl Bytes<'_> {
    /// Returns the next byte; 0 past the end.
    fn next(&mut self) -> u8 {
        let Some((&first, left)) = self.left.split_first() else { return 0 };
        self.left = left;
        first
    }

    fn name(&mut self) -> usize {
        self.next().into()
    }

    fn count(&mut self) -> usize {
        let count = (self.name() % 140).min(self.room);
        self.room -= count;
        count
    }

    /// Decodes an operation. The low four bits of a byte select it; the others are its
    /// details.
    fn op(&mut self) -> Option<Op> {
        if self.left.is_empty() {
            return None;
        }
        let byte = self.next();
        let detail = byte >> 4;
        Some(match byte & 15 {
            0..5 => Op::Poll,
            5 => Op::PollMany(detail.into()),
            6..9 => Op::Push(self.life(detail)),
            9 | 10 => Op::Wake { name: self.name(), on_thread: detail == 15 },
            11 | 12 => Op::Remove(self.name()),
            13 => Op::GetPinMut(self.name()),
            14 => Op::Extend { count: self.count(), panics: detail & 7 == 7 },
            _ => match detail {
                0 => Op::Clear,
                1 | 2 => Op::Extract(self.name()),
                // The bits of a byte, repeated.
                3 => Op::Retain(usize::from_ne_bytes([self.next(); size_of::<usize>()])),
                4 | 5 => Op::StayOpen(detail == 4),
                6..10 => Op::PollEnds,
                _ => Op::Poll,
            },
        })
    }

    fn life(&mut self, detail: u8) -> Life {
        let mut life = Life::default();
        for _ in 0..detail & 7 {
            life.acts.push_back(self.act());
        }
        if detail & 8 != 0 {
            let kind = self.next();
            life.hints = kind & 8 != 0;
            life.wakes_on_drop = (0..kind & 3).map(|_| self.name()).collect();
            life.panics_on_drop =
                kind & 4 != 0 && self.may_panic_on_drop && life.may_panic_on_drop();
            self.may_panic_on_drop &= !life.panics_on_drop;
        }
        life
    }

    fn act(&mut self) -> Act {
        let byte = self.next();
        let then = match byte & 7 {
            0..3 => Then::Item,
            5 if byte >> 5 == 3 => Then::Refused,
            3..6 => Then::Pending,
            6 => Then::End,
            _ => Then::Panic,
        };
        let wakes = (0..byte >> 3 & 3).map(|_| self.name()).collect();
        Act { wakes, on_thread: byte >> 5 == 7, then }
    }
}
