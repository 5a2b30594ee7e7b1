//! A lock's caller: replies by name, and clients that stand in line.

use crate::support::{Client, Reply, Server, eventually, info, words};

/// The three integers of `APP.LOCK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub held: bool,
    pub fence: i64,
    pub ttl_ms: i64,
}

impl Outcome {
    #[track_caller]
    pub fn of(reply: &Reply) -> Outcome {
        let [held, fence, ttl_ms] = reply.ints()[..] else {
            panic!("expected three integers, got {reply:?}");
        };
        assert!(matches!(held, 0 | 1), "{reply:?}");
        let held = held == 1;
        assert_eq!(held, fence != 0, "a fence for the holder alone: {reply:?}");
        Outcome {
            held,
            fence,
            ttl_ms,
        }
    }
}

/// Sends `line` and reads what `APP.LOCK` replies.
#[track_caller]
pub fn lock(client: &mut Client, line: &str) -> Outcome {
    Outcome::of(&client.run(line))
}

/// The reply to a call that was waiting.
#[track_caller]
pub fn outcome(client: &mut Client) -> Outcome {
    Outcome::of(&client.reply())
}

/// The reply to a call that was waiting: the lock, and its fence.
#[track_caller]
pub fn fence(client: &mut Client) -> i64 {
    let outcome = outcome(client);
    assert!(outcome.held, "{outcome:?}");
    outcome.fence
}

/// A client that has sent `line` and stands in line when this returns.
#[track_caller]
pub fn waiter(server: &Server, line: &str) -> Client {
    let mut client = server.client();
    stand_in_line(server, &mut client, line);
    client
}

/// The same, and the id of its connection, by which others can end it.
#[track_caller]
pub fn known_waiter(server: &Server, line: &str) -> (Client, i64) {
    let mut client = server.client();
    let id = id(&mut client);
    stand_in_line(server, &mut client, line);
    (client, id)
}

/// Sends `line` and returns once the call stands in line.
#[track_caller]
pub fn stand_in_line(server: &Server, client: &mut Client, line: &str) {
    let mut observer = server.client();
    let before = counter(&mut observer, "lock_waiting");
    client.send(&words(line));
    eventually("the call stands in line", || {
        counter(&mut observer, "lock_waiting") == before + 1
    });
}

/// A counter of `INFO appkit`.
#[track_caller]
pub fn counter(client: &mut Client, name: &str) -> i64 {
    info(client, "appkit")[&format!("appkit_{name}")]
        .parse()
        .expect("a number")
}

/// Waits until the lock at `k` is free.
#[track_caller]
pub fn eventually_free(client: &mut Client) {
    eventually("the lock is free again", || {
        client.run("EXISTS k").int() == 0
    });
}

/// Waits until nobody stands in line any more.
#[track_caller]
pub fn nobody_waits(server: &Server) {
    let mut observer = server.client();
    eventually("nobody stands in line", || {
        counter(&mut observer, "lock_waiting") == 0
    });
}

/// Unloads the module: nothing of it is left in the server, a moment after the last wait at most.
#[track_caller]
pub fn unload(client: &mut Client) {
    let mut reply = crate::support::Reply::Nil;
    eventually("nothing holds the module", || {
        reply = client.run("MODULE UNLOAD appkit");
        !reply.is_error()
    });
    reply.ok();
}

/// The id of a connection.
#[track_caller]
pub fn id(client: &mut Client) -> i64 {
    client.run("CLIENT ID").int()
}
