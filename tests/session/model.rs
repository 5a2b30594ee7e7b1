//! Random calls at a server against a naive model: a list of sessions, searched from end to end.
//! The rules have such a test of their own, with time; here nothing ends by time, so whatever
//! differs was lost between the arguments and the reply.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::caller::{View, list};
use crate::support::{Client, Server};

const OWNERS: usize = 2;
const HOUR: i64 = 3_600_000;

#[derive(Clone, Debug)]
struct Session {
    /// All ids that name it, the newest last.
    ids: Vec<String>,
    idle: i64,
    capped: bool,
    data: Value,
}

/// What an id may be picked from, by its place among all ids used so far and one never used.
type AnyId = proptest::sample::Index;

#[derive(Clone, Debug)]
enum Step {
    Create {
        again: Option<AnyId>,
        idle: i64,
        capped: bool,
        limit: Option<(usize, bool)>,
    },
    Get(AnyId),
    Touch(AnyId, Option<i64>),
    Update {
        id: AnyId,
        member: u8,
        value: Option<u8>,
        replace: bool,
        keep: bool,
    },
    Rotate(AnyId, bool),
    Revoke(AnyId),
    RevokeByHandle(AnyId),
    RevokeAll(Option<AnyId>),
    List(Option<AnyId>),
}

fn step() -> impl Strategy<Value = Step> {
    let id = any::<AnyId>;
    let idle = || HOUR..10 * HOUR;
    let limit = proptest::option::of((1..5usize, any::<bool>()));
    prop_oneof![
        6 => (proptest::option::weighted(0.2, id()), idle(), any::<bool>(), limit)
            .prop_map(|(again, idle, capped, limit)| Step::Create { again, idle, capped, limit }),
        4 => id().prop_map(Step::Get),
        4 => (id(), proptest::option::of(idle())).prop_map(|(id, idle)| Step::Touch(id, idle)),
        6 => (id(), 0..4u8, proptest::option::of(0..3u8), proptest::bool::weighted(0.2), any::<bool>())
            .prop_map(|(id, member, value, replace, keep)| Step::Update { id, member, value, replace, keep }),
        4 => (id(), any::<bool>()).prop_map(|(id, grace)| Step::Rotate(id, grace)),
        2 => id().prop_map(Step::Revoke),
        1 => id().prop_map(Step::RevokeByHandle),
        1 => proptest::option::weighted(0.6, id()).prop_map(Step::RevokeAll),
        3 => proptest::option::of(id()).prop_map(Step::List),
    ]
}

/// One owner at the server and in the model.
struct Owner {
    key: String,
    sessions: Vec<Session>,
    ids: Vec<String>,
    serial: usize,
}

impl Owner {
    fn new(key: String) -> Owner {
        let ids = vec!["an-id-that-was-never-used".to_owned()];
        Owner {
            key,
            sessions: Vec::new(),
            ids,
            serial: 0,
        }
    }

    fn pick(&self, id: AnyId) -> String {
        id.get(&self.ids).clone()
    }

    fn find(&mut self, id: &str) -> Option<&mut Session> {
        self.sessions
            .iter_mut()
            .find(|session| session.ids.iter().any(|known| known == id))
    }

    fn data(&mut self, id: &str) -> Option<Value> {
        self.find(id).map(|session| session.data.clone())
    }

    /// Takes all sessions out for which `ends` holds.
    fn end(&mut self, ends: impl Fn(&Session) -> bool) -> i64 {
        let before = self.sessions.len();
        self.sessions.retain(|session| !ends(session));
        (before - self.sessions.len()) as i64
    }

    fn run(&mut self, redis: &mut Client, step: Step) {
        match step {
            Step::Create {
                again,
                idle,
                capped,
                limit,
            } => self.create(redis, again, idle, capped, limit),
            Step::Get(id) => {
                let id = self.pick(id);
                let got = redis.run(&format!("APP.SESSION.GET {} {id}", self.key));
                assert_eq!(json_of(&got), self.data(&id));
            }
            Step::Touch(id, idle) => {
                let id = self.pick(id);
                let option = idle.map(|idle| format!(" PX {idle}")).unwrap_or_default();
                let got = redis.run(&format!("APP.SESSION.TOUCH {} {id}{option}", self.key));
                if let (Some(session), Some(idle)) = (self.find(&id), idle) {
                    session.idle = idle;
                }
                assert_eq!(json_of(&got), self.data(&id));
            }
            Step::Update {
                id,
                member,
                value,
                replace,
                keep,
            } => {
                self.update(redis, id, member, value, replace, keep);
            }
            Step::Rotate(id, grace) => self.rotate(redis, id, grace),
            Step::Revoke(id) => {
                let id = self.pick(id);
                let ended = self.end(|session| session.ids.contains(&id));
                let line = format!("APP.SESSION.REVOKE {} {id}", self.key);
                assert_eq!(redis.run(&line).int(), ended);
            }
            Step::RevokeByHandle(which) => self.revoke_by_handle(redis, which),
            Step::RevokeAll(except) => {
                let except = except.map(|id| self.pick(id));
                let option = except
                    .as_ref()
                    .map(|id| format!(" EXCEPT {id}"))
                    .unwrap_or_default();
                let kept =
                    |session: &Session| except.as_ref().is_some_and(|id| session.ids.contains(id));
                let ended = self.end(|session| !kept(session));
                let line = format!("APP.SESSION.REVOKEALL {}{option}", self.key);
                assert_eq!(redis.run(&line).int(), ended);
            }
            Step::List(current) => {
                let current = current.map(|id| self.pick(id));
                self.assert_listed(redis, current.as_deref());
            }
        }
    }

    fn create(
        &mut self,
        redis: &mut Client,
        again: Option<AnyId>,
        idle: i64,
        capped: bool,
        limit: Option<(usize, bool)>,
    ) {
        self.serial += 1;
        let id = match again {
            Some(id) => self.pick(id),
            None => format!("id-of-session-{}-{}", self.key, self.serial),
        };
        let data = json!({ "serial": self.serial });
        let max = if capped {
            format!(" MAXAGE {HOUR}")
        } else {
            String::new()
        };
        let limited = match limit {
            Some((n, reject)) => format!(" LIMIT {n}{}", if reject { " REJECT" } else { "" }),
            None => String::new(),
        };
        // In this order they make room.
        let mut unused = list(redis, &self.key);
        unused.sort_by_key(|view| (view.seen_at, view.created_at, view.handle.clone()));
        let line = format!(
            "APP.SESSION.CREATE {} PX {idle} ID {id} DATA {data}{max}{limited}",
            self.key
        );
        let reply = redis.run(&line);
        if self.find(&id).is_some() {
            assert_eq!(reply.text(), id);
            return;
        }
        if let Some((limit, reject)) = limit {
            let over = (self.sessions.len() + 1).saturating_sub(limit);
            if over > 0 && reject {
                assert!(reply.is_nil());
                return;
            }
            for view in &unused[..over] {
                let serial: Value = serde_json::from_str(&view.data).unwrap();
                assert_eq!(
                    self.end(|session| session.data["serial"] == serial["serial"]),
                    1
                );
            }
        }
        assert_eq!(reply.text(), id);
        self.ids.push(id.clone());
        self.sessions.push(Session {
            ids: vec![id],
            idle,
            capped,
            data,
        });
    }

    fn update(
        &mut self,
        redis: &mut Client,
        id: AnyId,
        member: u8,
        value: Option<u8>,
        replace: bool,
        keep: bool,
    ) {
        let id = self.pick(id);
        let mut patch = json!({ format!("m{member}"): { "v": value } });
        if member == 3 {
            patch = json!({ "m0": value });
        }
        if let (true, Some(data)) = (replace, self.data(&id)) {
            patch["serial"] = data["serial"].clone();
        }
        let options = [(" REPLACE", replace), (" KEEPTTL", keep)];
        let options: String = options
            .iter()
            .filter(|(_, on)| *on)
            .map(|(word, _)| *word)
            .collect();
        let reply = redis.run(&format!(
            "APP.SESSION.UPDATE {} {id} {patch}{options}",
            self.key
        ));
        if let Some(session) = self.find(&id) {
            session.data = if replace {
                patch
            } else {
                naive_merge(&session.data, &patch)
            };
        }
        assert_eq!(json_of(&reply), self.data(&id));
    }

    fn rotate(&mut self, redis: &mut Client, id: AnyId, grace: bool) {
        let id = self.pick(id);
        let option = if grace { " GRACE 3600000" } else { "" };
        let reply = redis.run(&format!("APP.SESSION.ROTATE {} {id}{option}", self.key));
        let Some(session) = self.find(&id) else {
            assert!(reply.is_nil());
            return;
        };
        if !grace {
            session.ids.pop();
            session.ids.retain(|known| *known != id);
        }
        let new = reply.text();
        session.ids.push(new.clone());
        self.ids.push(new);
    }

    fn revoke_by_handle(&mut self, redis: &mut Client, which: AnyId) {
        let views = list(redis, &self.key);
        if views.is_empty() {
            return;
        }
        let view = which.get(&views);
        let line = format!("APP.SESSION.REVOKE {} HANDLE {}", self.key, view.handle);
        assert_eq!(redis.run(&line).int(), 1);
        let data: Value = serde_json::from_str(&view.data).unwrap();
        assert_eq!(
            self.end(|session| session.data["serial"] == data["serial"]),
            1
        );
    }

    /// The list shows each session once, newest first, with what the model knows of it.
    fn assert_listed(&mut self, redis: &mut Client, current: Option<&str>) {
        let option = current
            .map(|id| format!(" CURRENT {id}"))
            .unwrap_or_default();
        let views = list(redis, &format!("{}{option}", self.key));
        assert!(views.is_sorted_by(|a, b| a.created_at >= b.created_at));
        let by_serial = |views: &[View]| {
            let pairs = views.iter().map(|view| {
                let data: Value = serde_json::from_str(&view.data).unwrap();
                (data["serial"].as_u64(), (data, view.clone()))
            });
            pairs.collect::<BTreeMap<_, _>>()
        };
        let listed = by_serial(&views);
        assert_eq!(views.len(), self.sessions.len());
        for session in &self.sessions {
            let (data, view) = &listed[&session.data["serial"].as_u64()];
            assert_eq!(*data, session.data);
            let named = current.is_some_and(|id| session.ids.iter().any(|known| known == id));
            assert_eq!(view.current, i64::from(named));
            // A capped session ends with its maximum age, another one an idle timeout after its use
            // or up to a minute sooner.
            let (start, span) = match session.capped {
                true => (view.created_at, HOUR),
                false => (view.seen_at, session.idle),
            };
            let early = start + span - view.expires_at;
            assert!(
                (0..=60_000).contains(&early),
                "{early} ms early: {view:?} {session:?}"
            );
        }
    }

    /// Each id ever used names the right session or none, and nothing is left of what has ended.
    fn assert_same(&mut self, redis: &mut Client) {
        for id in self.ids.clone() {
            let got = redis.run(&format!("APP.SESSION.GET {} {id}", self.key));
            assert_eq!(json_of(&got), self.data(&id), "{id}");
        }
        self.assert_listed(redis, None);
        let records: usize = self.sessions.iter().map(|session| session.ids.len()).sum();
        let expected = if records == 0 { 0 } else { records + 1 };
        assert_eq!(
            redis.run(&format!("HLEN {}", self.key)).int(),
            expected as i64
        );
    }
}

fn json_of(reply: &crate::support::Reply) -> Option<Value> {
    (!reply.is_nil()).then(|| serde_json::from_str(&reply.text()).unwrap())
}

/// RFC 7396, section 2, on parsed values.
fn naive_merge(target: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut result = target.as_object().cloned().unwrap_or_else(Map::new);
    for (name, value) in patch {
        if value.is_null() {
            result.remove(name);
        } else {
            let merged = naive_merge(result.get(name).unwrap_or(&Value::Null), value);
            result.insert(name.clone(), merged);
        }
    }
    Value::Object(result)
}

#[test]
fn sessions_do_what_a_naive_list_of_them_would() {
    let server = Server::start();
    let mut runner = TestRunner::new(Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    });
    let steps = proptest::collection::vec((0..OWNERS, step()), 1..150);
    let outcome = runner.run(&steps, |steps| {
        let mut redis = server.client();
        redis.run("FLUSHALL").ok();
        let mut owners: Vec<Owner> = (0..OWNERS)
            .map(|n| Owner::new(format!("owner:{n}")))
            .collect();
        for (owner, step) in steps {
            owners[owner].run(&mut redis, step);
        }
        for owner in &mut owners {
            owner.assert_same(&mut redis);
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
