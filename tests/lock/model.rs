//! Random calls of many clients against a naive model of one lock and its line.
//!
//! Every wait but one kind ends at a known moment, so the model knows after each step who holds the
//! lock and who has been answered what. Time enters through steps that let the holder run out.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::caller::{Outcome, counter, unload};
use crate::support::{Client, Server, eventually, is_long, words};

const CLIENTS: usize = 6;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A client calls `APP.LOCK` with the token, waiting or not.
    Lock {
        client: usize,
        token: usize,
        waits: bool,
    },
    Unlock {
        token: usize,
    },
    Extend {
        token: usize,
    },
    /// The holder runs out.
    RunOut,
    Delete,
    /// Older code takes the lock if it is free.
    PlainSet,
    /// A client closes its connection, waiting or not, and comes back.
    Disconnect {
        client: usize,
    },
    /// `CLIENT UNBLOCK`.
    Unblock {
        client: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (client, token) = (0..CLIENTS, 0..CLIENTS);
    prop_oneof![
        8 => (client.clone(), token.clone(), prop::bool::weighted(0.8))
            .prop_map(|(client, token, waits)| Step::Lock { client, token, waits }),
        5 => token.clone().prop_map(|token| Step::Unlock { token }),
        1 => token.prop_map(|token| Step::Extend { token }),
        2 => Just(Step::RunOut),
        1 => Just(Step::Delete),
        1 => Just(Step::PlainSet),
        1 => client.clone().prop_map(|client| Step::Disconnect { client }),
        1 => client.prop_map(|client| Step::Unblock { client }),
    ]
}

/// Who holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Nobody,
    Token(usize),
    Older,
}

struct Model {
    holder: Holder,
    /// Parties in order of arrival: a token and the clients that wait with it.
    line: Vec<(usize, Vec<usize>)>,
}

impl Model {
    /// The lock is free: the first in line gets it. Returns who is answered.
    fn advance(&mut self) -> Vec<usize> {
        if self.line.is_empty() {
            self.holder = Holder::Nobody;
            return Vec::new();
        }
        let (token, clients) = self.line.remove(0);
        self.holder = Holder::Token(token);
        clients
    }

    fn waits(&self, client: usize) -> bool {
        self.line
            .iter()
            .any(|(_, clients)| clients.contains(&client))
    }

    fn leave(&mut self, client: usize) {
        for (_, clients) in &mut self.line {
            clients.retain(|other| *other != client);
        }
        self.line.retain(|(_, clients)| !clients.is_empty());
    }

    fn waiting(&self) -> usize {
        self.line.iter().map(|(_, clients)| clients.len()).sum()
    }
}

struct Run<'a> {
    server: &'a Server,
    admin: Client,
    clients: Vec<Client>,
    ids: Vec<i64>,
    model: Model,
    last_fence: i64,
    held_fence: i64,
}

impl Run<'_> {
    fn new(server: &Server) -> Run<'_> {
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
        let ids = clients.iter_mut().map(crate::caller::id).collect();
        Run {
            server,
            admin: server.client(),
            clients,
            ids,
            model: Model {
                holder: Holder::Nobody,
                line: Vec::new(),
            },
            last_fence: 0,
            held_fence: 0,
        }
    }

    /// A new hold: its fence is above all before it.
    fn new_hold(&mut self, outcome: Outcome) {
        assert!(
            outcome.held && outcome.fence > self.last_fence,
            "{outcome:?}"
        );
        self.last_fence = outcome.fence;
        self.held_fence = outcome.fence;
    }

    /// The lock has become free: the model says who gets it, and the server must agree.
    fn lock_is_free(&mut self) {
        let answered = self.model.advance();
        let mut outcomes: Vec<Outcome> = Vec::new();
        for client in answered {
            outcomes.push(crate::caller::outcome(&mut self.clients[client]));
        }
        if let Some(first) = outcomes.first() {
            assert!(outcomes.iter().all(|other| other == first), "{outcomes:?}");
            self.new_hold(*first);
        }
    }

    fn lock(&mut self, client: usize, token: usize, waits: bool) {
        if self.model.waits(client) {
            return;
        }
        let wait = if waits { " WAIT 600000" } else { "" };
        let line = format!("APP.LOCK k token{token} EX 1000{wait}");
        let blocked = waits
            && !matches!(self.model.holder, Holder::Nobody)
            && self.model.holder != Holder::Token(token);
        if blocked {
            crate::caller::stand_in_line(self.server, &mut self.clients[client], &line);
            match self
                .model
                .line
                .iter_mut()
                .find(|(other, _)| *other == token)
            {
                Some((_, clients)) => clients.push(client),
                None => self.model.line.push((token, vec![client])),
            }
            return;
        }
        let outcome = crate::caller::lock(&mut self.clients[client], &line);
        match self.model.holder {
            Holder::Nobody => {
                self.new_hold(outcome);
                self.model.holder = Holder::Token(token);
            }
            Holder::Token(holder) if holder == token => {
                assert_eq!((outcome.held, outcome.fence), (true, self.held_fence));
            }
            _ => assert!(!outcome.held),
        }
    }

    fn unlock(&mut self, token: usize) {
        let reply = self.admin.run(&format!("APP.UNLOCK k token{token}"));
        if let Some(at) = self
            .model
            .line
            .iter()
            .position(|(other, _)| *other == token)
        {
            for client in self.model.line.remove(at).1 {
                assert!(!crate::caller::outcome(&mut self.clients[client]).held);
            }
        }
        match self.model.holder {
            Holder::Nobody => assert!(reply.is_nil()),
            Holder::Token(holder) if holder == token => {
                assert_eq!(reply.int(), 1);
                self.lock_is_free();
            }
            _ => assert_eq!(reply.int(), 0),
        }
    }

    fn extend(&mut self, token: usize) {
        let reply = self
            .admin
            .run(&format!("APP.LOCK.EXTEND k token{token} EX 1000"));
        match self.model.holder {
            Holder::Nobody => assert!(reply.is_nil()),
            Holder::Token(holder) => assert_eq!(reply.int(), i64::from(holder == token)),
            Holder::Older => assert_eq!(reply.int(), 0),
        }
    }

    fn end(&mut self, command: &str) {
        let ended = self.admin.run(command).int() == 1;
        assert_eq!(ended, self.model.holder != Holder::Nobody, "{command}");
        if ended {
            if self.model.line.is_empty() {
                let admin = &mut self.admin;
                eventually("the holder is gone", || admin.run("EXISTS k").int() == 0);
            }
            self.lock_is_free();
        }
    }

    fn disconnect(&mut self, client: usize) {
        self.model.leave(client);
        self.clients[client] = self.server.client();
        self.ids[client] = crate::caller::id(&mut self.clients[client]);
        let (admin, waiting) = (&mut self.admin, self.model.waiting());
        eventually("the closed connection is noticed", || {
            counter(admin, "lock_waiting") == i64::try_from(waiting).unwrap()
        });
    }

    fn unblock(&mut self, client: usize) {
        let waits = self.model.waits(client);
        let reply = self
            .admin
            .run(&format!("CLIENT UNBLOCK {}", self.ids[client]));
        assert_eq!(reply.int(), i64::from(waits));
        if waits {
            assert!(!crate::caller::outcome(&mut self.clients[client]).held);
            self.model.leave(client);
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Lock {
                client,
                token,
                waits,
            } => self.lock(client, token, waits),
            Step::Unlock { token } => self.unlock(token),
            Step::Extend { token } => self.extend(token),
            Step::RunOut => self.end("PEXPIRE k 3"),
            Step::Delete => self.end("DEL k"),
            Step::PlainSet => {
                let was_free = self.admin.run("SET k older NX EX 1000").is_nil();
                assert_eq!(was_free, self.model.holder != Holder::Nobody);
                if self.model.holder == Holder::Nobody {
                    self.model.holder = Holder::Older;
                }
            }
            Step::Disconnect { client } => self.disconnect(client),
            Step::Unblock { client } => self.unblock(client),
        }
        self.check();
    }

    /// What the server shows is what the model says.
    fn check(&mut self) {
        let state = self.admin.run("GET k");
        let info = self.admin.run("APP.LOCK.INFO k");
        match self.model.holder {
            Holder::Nobody => assert!(state.is_nil() && info.is_nil()),
            Holder::Older => assert_eq!(state.text(), "older"),
            Holder::Token(token) => {
                let expected = format!("appkit:lock:1 {} token{token}", self.held_fence);
                assert_eq!(state.text(), expected);
            }
        }
        if !info.is_nil() {
            let waiters = usize::try_from(info.field("waiters").unwrap().int()).unwrap();
            assert_eq!(waiters, self.model.line.len());
        }
    }
}

#[test]
fn many_clients_see_what_a_naive_lock_with_a_line_does() {
    let server = Server::start();
    let config = Config {
        cases: if is_long() { 500 } else { 25 },
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let steps = prop::collection::vec(step(), 1..60);
    let result = TestRunner::new(config).run(&steps, |steps| {
        let mut run = Run::new(&server);
        run.admin.run("FLUSHALL").ok();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for step in steps {
                run.step(step);
            }
        }));
        drop(run);
        crate::caller::nobody_waits(&server);
        outcome.map_err(|_| TestCaseError::fail("the model and the server differ, see above"))
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    unload(&mut server.client());
}

/// Also where the steps of a failure are pasted to replay it.
#[test]
fn one_run_of_every_kind_of_step_does_what_the_model_says() {
    let server = Server::start();
    let mut run = Run::new(&server);
    for step in [
        Step::Lock {
            client: 0,
            token: 0,
            waits: false,
        },
        Step::Lock {
            client: 1,
            token: 1,
            waits: true,
        },
        Step::Lock {
            client: 2,
            token: 1,
            waits: true,
        },
        Step::PlainSet,
        Step::Disconnect { client: 1 },
        Step::Extend { token: 0 },
        Step::RunOut,
        Step::Unlock { token: 1 },
        Step::PlainSet,
        Step::Lock {
            client: 3,
            token: 3,
            waits: true,
        },
        Step::Unblock { client: 3 },
        Step::Delete,
    ] {
        run.step(step);
    }
    assert_eq!(run.clients[0].call(&words("PING")).text(), "PONG");
}
