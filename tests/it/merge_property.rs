//! Arbitrary sequences of pushes, removals, wakes, items, ends and panics, compared
//! with an oracle.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::fuzz_input::follow_bytes;
use crate::oracle::{Act, Life, Op, Then, follow};

fn any_then() -> impl Strategy<Value = Then> {
    prop_oneof![
        8 => Just(Then::Item),
        8 => Just(Then::Pending),
        1 => Just(Then::Refused),
        2 => Just(Then::End),
        1 => Just(Then::Panic),
    ]
}

fn any_life() -> impl Strategy<Value = Life> {
    let wakes = (vec(any::<usize>(), 0..3), prop::bool::weighted(0.05));
    let act = (wakes, any_then());
    let act = act.prop_map(|((wakes, on_thread), then)| Act { wakes, on_thread, then });
    let wakes_on_drop = prop_oneof![3 => Just(vec![]), 1 => vec(any::<usize>(), 1..3)];
    (vec(act, 0..8), any::<bool>(), wakes_on_drop).prop_map(|(acts, hints, wakes_on_drop)| Life {
        acts: acts.into(),
        hints,
        wakes_on_drop,
        panics_on_drop: false,
    })
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        100 => Just(Op::Poll),
        20 => (0..40_usize).prop_map(Op::PollMany),
        20 => Just(Op::PollEnds),
        40 => any_life().prop_map(Op::Push),
        3 => (0..70_usize, prop::bool::weighted(0.2))
            .prop_map(|(count, panics)| Op::Extend { count, panics }),
        60 => (any::<usize>(), prop::bool::weighted(0.05))
            .prop_map(|(name, on_thread)| Op::Wake { name, on_thread }),
        10 => any::<usize>().prop_map(Op::Remove),
        8 => any::<usize>().prop_map(Op::Extract),
        2 => any::<usize>().prop_map(Op::Retain),
        5 => any::<bool>().prop_map(Op::StayOpen),
        15 => any::<usize>().prop_map(Op::GetPinMut),
        2 => Just(Op::Clear),
    ]
}

/// Operations in which the drop of at most one child panics, since two at a time
/// abort.
fn any_ops() -> impl Strategy<Value = Vec<Op>> {
    (vec(any_op(), 1..150), any::<usize>()).prop_map(|(mut ops, name)| {
        let mut lives = ops.iter_mut().filter_map(|op| match op {
            Op::Push(life) if life.may_panic_on_drop() => Some(life),
            _ => None,
        });
        if let Some(life) = lives.nth(name % 40) {
            life.panics_on_drop = true;
        }
        ops
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn a_merge_agrees_with_the_oracle(
        budget in prop_oneof![0..5_u32, Just(32), Just(u32::MAX)],
        announced in prop_oneof![Just(0), 0..200_usize],
        ops in any_ops(),
    ) {
        follow(budget, announced, ops).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn the_fuzz_corpus_agrees_with_the_oracle() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/merge");
    // The published package does not contain the corpus.
    let Ok(inputs) = std::fs::read_dir(corpus) else { return };
    for input in inputs {
        let path = input.unwrap().path();
        let followed = follow_bytes(&std::fs::read(&path).unwrap());
        assert_eq!(followed, Ok(()), "{}", path.display());
    }
}
