//! The table against a naive model, and its promises one by one.

#![allow(clippy::arithmetic_side_effects)]

use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::{LineId, Request, Table, WaiterId};

/// A caller's name; an empty one has a place of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Caller(&'static str);

impl Request for Caller {
    fn name(&self) -> Option<&[u8]> {
        (!self.0.is_empty()).then_some(self.0.as_bytes())
    }
}

type Lines = Table<Caller, u32>;

fn id(number: usize) -> WaiterId {
    WaiterId(NonZeroUsize::new(number).unwrap())
}

fn line(table: &Lines) -> LineId {
    table.line(0, b"k").unwrap()
}

fn join(table: &mut Lines, number: usize, name: &'static str) {
    table.join(0, b"k", id(number), Caller(name), 1000);
}

/// The answer that each of these clients gets.
fn delivered(table: &mut Lines, numbers: &[usize]) -> Vec<Option<u32>> {
    let answers = numbers.iter().map(|n| table.deliver(id(*n)));
    answers.map(|answered| answered.map(|a| a.answer)).collect()
}

#[test]
fn first_come_first_served() {
    let mut table = Lines::new();
    for (number, name) in [(1, "a"), (2, ""), (3, "b"), (4, "")] {
        join(&mut table, number, name);
    }
    table.leave(id(3));
    for answer in 0..3 {
        let first = line(&table);
        table.answer_head(first, answer);
    }
    assert_eq!(table.take_decided(), [id(1), id(2), id(4)]);
    assert_eq!(
        delivered(&mut table, &[1, 2, 3, 4]),
        [Some(0), Some(1), None, Some(2)]
    );
    assert_eq!(table.line(0, b"k"), None);
    assert_eq!((table.waiting(), table.len()), (0, 4));
    (1..5).for_each(|n| table.forget(id(n)));
    assert_eq!(table.len(), 0);
    assert!(table.take_undelivered().is_empty());
    assert_eq!(table.next_ms(), None);
}

#[test]
fn a_name_stands_in_line_once_and_keeps_its_place() {
    let mut table = Lines::new();
    for (number, name) in [(1, "a"), (2, "b"), (3, "a")] {
        join(&mut table, number, name);
    }
    assert_eq!(table.parties(line(&table)), 2);
    table.leave(id(1));
    let the_line = line(&table);
    assert_eq!(table.head(the_line), Some(&Caller("a")));
    join(&mut table, 4, "a");
    table.answer_head(the_line, 7);
    assert_eq!(delivered(&mut table, &[2, 3, 4]), [None, Some(7), Some(7)]);
    assert_eq!(table.head(the_line), Some(&Caller("b")));
}

#[test]
fn an_answer_that_one_of_the_party_got_is_not_passed_on() {
    let mut table = Lines::new();
    join(&mut table, 1, "a");
    join(&mut table, 2, "a");
    let the_line = line(&table);
    table.answer_head(the_line, 7);
    table.forget(id(1));
    assert!(table.take_undelivered().is_empty());
    assert_eq!(delivered(&mut table, &[2]), [Some(7)]);
    table.forget(id(2));
    assert!(table.take_undelivered().is_empty());
}

#[test]
fn an_answer_that_nobody_got_is_passed_on_once() {
    let mut table = Lines::new();
    join(&mut table, 1, "a");
    join(&mut table, 2, "a");
    let the_line = line(&table);
    table.answer_head(the_line, 7);
    table.take_decided();
    table.leave(id(1));
    table.forget(id(1));
    assert_eq!(table.next_ms(), None);
    table.forget(id(2));
    assert_eq!(table.next_ms(), Some(0));
    let undelivered = table.take_undelivered();
    assert_eq!(undelivered.len(), 1);
    assert_eq!(undelivered[0].answer, 7);
    assert_eq!(
        (undelivered[0].place.db, undelivered[0].place.key.as_slice()),
        (0, &b"k"[..])
    );
    assert_eq!(table.next_ms(), None);
}

#[test]
fn a_caller_that_knows_already_is_not_passed_over() {
    for gone_before in [false, true] {
        let mut table = Lines::new();
        join(&mut table, 1, "a");
        let the_line = line(&table);
        table.answer_head(the_line, 7);
        if gone_before {
            table.forget(id(1));
        }
        table.confirm(0, b"other", |_| true);
        table.confirm(0, b"k", |answer| *answer == 7);
        if !gone_before {
            table.forget(id(1));
        }
        let left = table.take_undelivered();
        assert!(left.iter().all(|answered| answered.is_delivered()));
    }
}

#[test]
fn a_client_is_let_go_once() {
    let mut table = Lines::new();
    join(&mut table, 1, "a");
    assert!(table.release(id(1)));
    assert!(!table.release(id(1)));
    table.forget(id(1));
    assert!(!table.release(id(1)));
}

#[test]
fn an_identity_that_is_used_again_inherits_nothing() {
    let mut table = Lines::new();
    join(&mut table, 1, "a");
    table.give_up(id(1), |_| 7);
    assert_eq!(delivered(&mut table, &[1]), [Some(7)]);
    assert!(table.release(id(1)));
    table.forget(id(1));
    join(&mut table, 1, "b");
    assert_eq!(table.take_decided(), [], "the second stands in line");
    assert_eq!(delivered(&mut table, &[1]), [None]);
    assert!(table.release(id(1)));
}

#[test]
fn alarms_follow_what_the_line_waits_for() {
    let mut table = Lines::new();
    join(&mut table, 1, "a");
    let the_line = line(&table);
    assert_eq!(table.next_ms(), Some(1000));
    table.set_until(the_line, Some(500), Some(501));
    assert_eq!(table.next_ms(), Some(501));
    assert_eq!(table.take_lines(500), []);
    assert_eq!(table.take_lines(501), [the_line]);
    table.hold_off(700);
    assert_eq!(table.next_ms(), Some(700));
    table.set_until(the_line, None, None);
    assert_eq!(table.next_ms(), Some(1000));
    assert_eq!(table.due_waits(999), []);
    assert_eq!(table.due_waits(1000), [id(1)]);
    assert_eq!(table.take_lines(1000), [the_line]);
    table.set_until(the_line, Some(1500), Some(1501));
    let mut until_ms = None;
    table.give_up(id(1), |until| {
        until_ms = until;
        9
    });
    assert_eq!(until_ms, Some(1500));
    assert_eq!(table.due_waits(1000), []);
    assert_eq!(table.next_ms(), Some(0));
    table.take_decided();
    assert_eq!(delivered(&mut table, &[1]), [Some(9)]);
    assert_eq!(table.next_ms(), None);
}

#[test]
fn what_happens_to_a_key_or_a_database_is_noted() {
    let mut table = Lines::new();
    assert!(!table.note(0, b"k"));
    assert!(!table.note_db(None));
    table.join(0, b"k", id(1), Caller("a"), 1000);
    let there = table.line(0, b"k").unwrap();
    let here = table.join(5, b"k", id(2), Caller("a"), 1000);
    assert!(!table.note(1, b"k") && !table.note(0, b"l") && !table.note_db(Some(1)));
    assert!(table.note(0, b"k"));
    assert_eq!(table.next_ms(), Some(0));
    assert_eq!(table.take_lines(0), [there]);
    assert!(table.note_db(Some(5)));
    assert_eq!(table.take_lines(0), [here]);
    assert!(table.note_db(None));
    table.leave(id(1));
    assert_eq!(table.take_lines(0), [here]);
}

#[test]
fn a_job_gets_what_was_noted_and_nothing_that_is_merely_due() {
    let mut table = Lines::new();
    table.join(0, b"due", id(1), Caller("a"), 1000);
    let due = table.line(0, b"due").unwrap();
    table.set_until(due, Some(500), Some(501));
    table.join(0, b"k", id(2), Caller("a"), 1000);
    let noted = line(&table);
    table.note(0, b"k");
    assert_eq!(table.take_noted(), [noted]);
    assert_eq!(table.take_noted(), []);
    table.note(0, b"k");
    table.postpone();
    assert_eq!(table.take_noted(), []);
    assert_eq!(table.next_ms(), Some(0));
    assert_eq!(table.take_lines(501), [due, noted]);
}

/// The model: parties of one line in order of arrival, each a name and its calls.
#[derive(Default)]
struct Model {
    parties: Vec<(&'static str, Vec<usize>)>,
}

impl Model {
    fn join(&mut self, number: usize, name: &'static str) {
        match self
            .parties
            .iter_mut()
            .find(|(other, _)| !name.is_empty() && *other == name)
        {
            Some((_, calls)) => calls.push(number),
            None => self.parties.push((name, vec![number])),
        }
    }

    fn leave(&mut self, number: usize) {
        for (_, calls) in &mut self.parties {
            calls.retain(|other| *other != number);
        }
        self.parties.retain(|(_, calls)| !calls.is_empty());
    }
}

#[derive(Debug, Clone)]
enum Step {
    Join(&'static str),
    Leave(usize),
    ServeHead,
    ServeNamed(&'static str),
}

fn step() -> impl Strategy<Value = Step> {
    let name = prop_oneof![Just(""), Just("a"), Just("b"), Just("c")];
    prop_oneof![
        4 => name.clone().prop_map(Step::Join),
        2 => (1usize..60).prop_map(Step::Leave),
        2 => Just(Step::ServeHead),
        1 => name.prop_map(Step::ServeNamed),
    ]
}

proptest! {
    #[test]
    fn the_table_does_what_a_naive_line_does(steps in proptest::collection::vec(step(), 1..80)) {
        let (mut table, mut model) = (Lines::new(), Model::default());
        let mut calls = 0;
        for (answer, step) in (0u32..).zip(steps) {
            let served = match step {
                Step::Join(name) => {
                    calls += 1;
                    join(&mut table, calls, name);
                    model.join(calls, name);
                    Vec::new()
                }
                Step::Leave(number) => {
                    table.leave(id(number));
                    model.leave(number);
                    Vec::new()
                }
                Step::ServeHead if model.parties.is_empty() => Vec::new(),
                Step::ServeHead => {
                    let the_line = line(&table);
                    table.answer_head(the_line, answer);
                    model.parties.remove(0).1
                }
                Step::ServeNamed(name) => {
                    let at = model.parties.iter().position(|(n, _)| !name.is_empty() && *n == name);
                    let found = table.line(0, b"k").is_some_and(|the_line| table.answer_named(the_line, name.as_bytes(), answer));
                    prop_assert_eq!(found, at.is_some());
                    at.map(|at| model.parties.remove(at).1).unwrap_or_default()
                }
            };
            let decided: Vec<WaiterId> = served.iter().map(|n| id(*n)).collect();
            prop_assert_eq!(table.take_decided(), decided);
            for number in served {
                prop_assert_eq!(table.deliver(id(number)).map(|a| a.answer), Some(answer));
            }
            let waiting: usize = model.parties.iter().map(|(_, calls)| calls.len()).sum();
            prop_assert_eq!(table.waiting(), waiting);
            let the_line = table.line(0, b"k");
            prop_assert_eq!(the_line.is_some(), !model.parties.is_empty());
            if let Some(the_line) = the_line {
                prop_assert_eq!(table.parties(the_line), model.parties.len());
                prop_assert_eq!(table.head(the_line), Some(&Caller(model.parties[0].0)));
            }
        }
        (1..=calls).for_each(|n| table.forget(id(n)));
        prop_assert_eq!((table.len(), table.waiting(), table.next_ms()), (0, 0, None));
    }
}
