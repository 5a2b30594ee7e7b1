//! Leaving the line: by `APP.UNLOCK`, by the connection's end, by an administrator; and what
//! happens to a lock whose new holder is gone before it knows.

use crate::caller::{
    counter, eventually_free, fence, id, known_waiter, lock, nobody_waits, outcome, stand_in_line,
    unload, waiter,
};
use crate::support::{Server, eventually, words};

#[test]
fn unlock_of_a_waiting_token_ends_its_wait() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let mut gives_up = waiter(&server, "APP.LOCK k t EX 100 WAIT 10000");
    let mut again = waiter(&server, "APP.LOCK k t EX 100 WAIT 10000");
    let mut stays = waiter(&server, "APP.LOCK k stays EX 100 WAIT 10000");
    assert_eq!(
        redis.run("APP.UNLOCK k t").int(),
        0,
        "somebody else holds it"
    );
    for client in [&mut gives_up, &mut again] {
        let refused = outcome(client);
        assert!(!refused.held && refused.ttl_ms > 90_000, "{refused:?}");
    }
    assert_eq!(redis.run("APP.UNLOCK k holder").int(), 1);
    assert!(fence(&mut stays) > 0);
    assert_eq!(counter(&mut redis, "lock_timed_out"), 0);
}

#[test]
fn a_client_that_is_gone_is_passed_over() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let closes = waiter(&server, "APP.LOCK k closes EX 100 WAIT 10000");
    let (mut killed, killed_id) = known_waiter(&server, "APP.LOCK k killed EX 100 WAIT 10000");
    let mut stays = waiter(&server, "APP.LOCK k stays EX 100 WAIT 10000");
    drop(closes);
    eventually("the closed connection is noticed", || {
        counter(&mut redis, "lock_waiting") == 2
    });
    // Killed and handed over in one go: the dead client must not get it.
    redis.pipeline(&[
        words(&format!("CLIENT KILL ID {killed_id}")),
        words("APP.UNLOCK k holder"),
    ]);
    assert!(fence(&mut stays) > 0);
    assert!(killed.try_frame().is_err());
    assert_eq!(counter(&mut redis, "lock_handed_over"), 1);
    assert_eq!(counter(&mut redis, "lock_passed_on"), 0);
}

#[test]
fn a_lock_whose_new_holder_is_gone_before_its_reply_goes_to_the_next() {
    let server = Server::start();
    let mut redis = server.client();
    let forms: [fn(&str) -> Vec<String>; 2] = [
        |kill| vec!["APP.UNLOCK k holder".into(), kill.into()],
        |kill| {
            ["MULTI", "APP.UNLOCK k holder", kill, "EXEC"]
                .map(String::from)
                .to_vec()
        },
    ];
    for form in forms {
        lock(&mut redis, "APP.LOCK k holder EX 100");
        let (mut chosen, chosen_id) = known_waiter(&server, "APP.LOCK k chosen EX 100 WAIT 10000");
        let mut next = waiter(&server, "APP.LOCK k next EX 100 WAIT 10000");
        let before = counter(&mut redis, "lock_passed_on");
        let lines = form(&format!("CLIENT KILL ID {chosen_id}"));
        let pipeline: Vec<redis::Cmd> = lines.iter().map(|line| words(line)).collect();
        redis.pipeline(&pipeline);
        assert!(fence(&mut next) > 0);
        assert!(chosen.try_frame().is_err());
        assert_eq!(counter(&mut redis, "lock_passed_on"), before + 1);
        assert_eq!(redis.run("APP.UNLOCK k next").int(), 1);
        assert_eq!(redis.run("EXISTS k").int(), 0);
    }
}

#[test]
fn a_lock_whose_new_holder_is_gone_is_free_if_nobody_else_waits() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let (_chosen, chosen_id) = known_waiter(&server, "APP.LOCK k chosen EX 100 WAIT 10000");
    redis.pipeline(&[
        words("APP.UNLOCK k holder"),
        words(&format!("CLIENT KILL ID {chosen_id}")),
    ]);
    eventually_free(&mut redis);
}

#[test]
fn a_call_sent_again_before_the_passing_on_keeps_the_lock() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let (_chosen, chosen_id) = known_waiter(&server, "APP.LOCK k chosen EX 100 WAIT 10000");
    let mut next = waiter(&server, "APP.LOCK k next EX 100 WAIT 100");
    let replies = redis.pipeline(&[
        words("APP.UNLOCK k holder"),
        words(&format!("CLIENT KILL ID {chosen_id}")),
        words("APP.LOCK k chosen EX 100"),
    ]);
    assert_eq!(replies[2].ints()[0], 1, "{replies:?}");
    assert!(!outcome(&mut next).held);
    assert_eq!(redis.run("APP.UNLOCK k chosen").int(), 1);
    assert_eq!(counter(&mut redis, "lock_passed_on"), 0);
}

#[test]
fn one_of_two_calls_with_a_token_that_is_gone_does_not_lose_the_lock() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let (_first, first_id) = known_waiter(&server, "APP.LOCK k t EX 100 WAIT 10000");
    let mut second = waiter(&server, "APP.LOCK k t EX 100 WAIT 10000");
    redis.pipeline(&[
        words("APP.UNLOCK k holder"),
        words(&format!("CLIENT KILL ID {first_id}")),
    ]);
    assert!(fence(&mut second) > 0);
    assert_eq!(redis.run("APP.UNLOCK k t").int(), 1);
    assert_eq!(counter(&mut redis, "lock_passed_on"), 0);
}

#[test]
fn client_unblock_ends_a_wait_as_if_it_had_run_out() {
    let server = Server::start();
    let mut redis = server.client();
    lock(&mut redis, "APP.LOCK k holder EX 100");
    let mut client = server.client();
    let client_id = id(&mut client);
    for _ in 0..2 {
        stand_in_line(&server, &mut client, "APP.LOCK k t EX 100 WAIT 10000");
        assert_eq!(redis.run(&format!("CLIENT UNBLOCK {client_id}")).int(), 1);
        let refused = outcome(&mut client);
        assert!(!refused.held && refused.ttl_ms > 90_000, "{refused:?}");
        stand_in_line(&server, &mut client, "APP.LOCK k t EX 100 WAIT 10000");
        assert_eq!(
            redis
                .run(&format!("CLIENT UNBLOCK {client_id} ERROR"))
                .int(),
            1
        );
        assert!(client.reply().error().starts_with("UNBLOCKED"));
        assert_eq!(client.run("PING").text(), "PONG");
    }
    nobody_waits(&server);
    unload(&mut redis);
}

#[test]
fn client_unblock_right_behind_the_hand_over_loses_no_reply() {
    let server = Server::start();
    let mut redis = server.client();
    let mut client = server.client();
    let client_id = id(&mut client);
    for how in ["TIMEOUT", "ERROR"] {
        lock(&mut redis, "APP.LOCK k holder EX 100");
        stand_in_line(&server, &mut client, "APP.LOCK k t EX 100 WAIT 10000");
        let replies = redis.pipeline(&[
            words("APP.UNLOCK k holder"),
            words(&format!("CLIENT UNBLOCK {client_id} {how}")),
            words("DEBUG SLEEP 0.05"),
        ]);
        let reply = client.reply();
        if reply.is_error() {
            // Then the lock may not stay with it.
            assert!(reply.error().starts_with("UNBLOCKED"));
            eventually_free(&mut redis);
        } else {
            assert_eq!(reply.ints()[0], 1, "{how}: {replies:?}");
            assert_eq!(redis.run("APP.UNLOCK k t").int(), 1, "{how}");
        }
        assert_eq!(client.run("PING").text(), "PONG");
    }
}

#[test]
fn the_module_cannot_be_unloaded_while_somebody_waits_and_can_after() {
    let server = Server::start();
    let mut redis = server.client();
    let path = crate::support::module_path().display().to_string();
    for _ in 0..2 {
        lock(&mut redis, "APP.LOCK k holder PX 100000");
        let mut first = waiter(&server, "APP.LOCK k first PX 30 WAIT 10000");
        let mut second = waiter(&server, "APP.LOCK k second EX 100 WAIT 10000");
        assert!(redis.run("MODULE UNLOAD appkit").is_error());
        redis.run("APP.UNLOCK k holder").int();
        assert!(fence(&mut second) > fence(&mut first));
        nobody_waits(&server);
        unload(&mut redis);
        assert_eq!(redis.run("DEL k").int(), 1, "the data stays");
        redis.run(&format!("MODULE LOAD {path}")).ok();
    }
}
