//! Values that own something: moved, never copied, dropped once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Queue, for_both_rings};

for_both_rings! {
    moves_single_values
    moves_vectors_from_the_front
    a_bulk_that_does_not_fit_moves_nothing
    appends_to_what_is_there
    drops_what_is_left_once
    a_panic_between_operations_loses_nothing
    gives_boxes_back_whole
}

/// A value whose live copies can be counted: `Arc::strong_count(&token) - 1`.
type Token = Arc<()>;

fn live(token: &Token) -> usize {
    Arc::strong_count(token) - 1
}

fn tokens(token: &Token, count: usize) -> Vec<Token> {
    vec![Arc::clone(token); count]
}

fn moves_single_values<Q: Queue<Token>>() {
    let token = Token::default();
    let mut ring = Q::starting_at(2, 1).unwrap();
    assert!(ring.push(token.clone()).is_ok() && ring.push(token.clone()).is_ok());
    let refused = ring.push(token.clone());
    assert_eq!(live(&token), 3);
    drop(refused);
    assert_eq!(live(&token), 2);
    drop(ring.pop());
    assert_eq!(live(&token), 1);
    drop(ring);
    assert_eq!(live(&token), 0);
}

fn moves_vectors_from_the_front<Q: Queue<String>>() {
    for start in 0..8 {
        let mut ring = Q::starting_at(8, start).unwrap();
        let mut names: Vec<String> = (0..11).map(|n| n.to_string()).collect();
        assert_eq!(ring.enqueue_burst_from(&mut names), 8);
        assert_eq!(names, ["8", "9", "10"]);
        assert_eq!(ring.enqueue_burst_from(&mut names), 0);

        let mut out = Vec::new();
        assert_eq!(ring.dequeue_burst_into(&mut out, 3), 3);
        assert!(ring.enqueue_bulk_from(&mut names));
        assert!(names.is_empty());
        assert!(ring.dequeue_bulk_into(&mut out, 8));
        assert!(out.iter().enumerate().all(|(n, name)| *name == n.to_string()));
        assert_eq!(out.len(), 11);
    }
}

fn a_bulk_that_does_not_fit_moves_nothing<Q: Queue<Token>>() {
    let token = Token::default();
    let mut ring = Q::starting_at(4, 2).unwrap();
    let mut values = tokens(&token, 5);
    assert!(!ring.enqueue_bulk_from(&mut values));
    assert_eq!((values.len(), ring.checked_len()), (5, 0));
    assert_eq!(ring.enqueue_burst_from(&mut values), 4);

    let mut out = Vec::new();
    assert!(!ring.dequeue_bulk_into(&mut out, 5));
    assert!(!ring.dequeue_bulk_into(&mut out, usize::MAX), "must not try to allocate");
    assert_eq!((out.len(), ring.checked_len()), (0, 4));
    assert_eq!(live(&token), 5);
}

fn appends_to_what_is_there<Q: Queue<String>>() {
    let mut ring = Q::starting_at(4, 3).unwrap();
    let mut values = vec!["c".to_string(), "d".to_string()];
    assert!(ring.enqueue_bulk_from(&mut values));
    let mut out = vec!["a".to_string(), "b".to_string()];
    assert_eq!(ring.dequeue_burst_into(&mut out, usize::MAX), 2);
    assert_eq!(out.concat(), "abcd");
}

fn drops_what_is_left_once<Q: Queue<Token>>() {
    for start in 0..4 {
        for left in 0..=4 {
            let token = Token::default();
            let mut ring = Q::starting_at(4, start).unwrap();
            assert_eq!(ring.enqueue_burst_from(&mut tokens(&token, left)), left);
            assert_eq!(live(&token), left);
            drop(ring);
            assert_eq!(live(&token), 0);
        }
    }
}

fn a_panic_between_operations_loses_nothing<Q: Queue<Token>>() {
    let token = Token::default();
    let mut ring = Q::starting_at(4, 0).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut values = tokens(&token, 6);
        ring.enqueue_burst_from(&mut values);
        let mut out = Vec::new();
        ring.dequeue_burst_into(&mut out, 1);
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(panicked.is_err());
    assert_eq!((ring.checked_len(), live(&token)), (3, 3));
    drop(ring);
    assert_eq!(live(&token), 0);
}

/// Pointers survive being copied in pieces (which miri checks).
fn gives_boxes_back_whole<Q: Queue<(u8, Box<u32>, [u16; 3])>>() {
    let mut ring = Q::starting_at(8, 5).unwrap();
    let mut values: Vec<_> = (0..7).map(|n| (n, Box::new(n as u32), [n as u16; 3])).collect();
    let expected = values.clone();
    assert!(ring.enqueue_bulk_from(&mut values));
    assert!(ring.dequeue_bulk_into(&mut values, 7));
    assert_eq!(values, expected);
}
