//! The rules against a naive model: a list of sessions, searched from end to end.

#![allow(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::create::Created;
use super::hash::Contents;
use super::single::View;
use super::testing::{Owner, handle};

#[derive(Clone, Debug)]
struct ModelSession {
    serial: usize,
    /// Each id with the time until which it names the session; the newest is last, without end.
    ids: Vec<(String, Option<i64>)>,
    created: i64,
    seen: i64,
    idle: i64,
    expires: i64,
    max: Option<i64>,
    data: Value,
}

#[derive(Default)]
struct Model {
    now: i64,
    live: Vec<ModelSession>,
    /// Serials of sessions that have ended.
    ended: BTreeSet<usize>,
    serials: usize,
}

impl ModelSession {
    fn newest(&self) -> &str {
        &self.ids.last().unwrap().0
    }

    fn use_now(&mut self, now: i64, timeout: Option<i64>) -> bool {
        let idle = timeout.unwrap_or(self.idle);
        let deadline = self.max.map_or(now + idle, |max| max.min(now + idle));
        let worth = |ms: i64| ms != 0 && (16 * ms.abs() >= idle || ms.abs() >= 60_000);
        let worth = worth(deadline - self.expires) || worth(now - self.seen);
        if idle == self.idle && !worth {
            return false;
        }
        (self.idle, self.expires, self.seen) = (idle, deadline, now);
        true
    }
}

impl Model {
    fn sleep(&mut self, ms: i64) {
        self.now += ms;
        let now = self.now;
        self.end_where(|session| session.expires <= now);
        for session in &mut self.live {
            session
                .ids
                .retain(|(_, until)| until.is_none_or(|until| now < until));
        }
    }

    fn end_where(&mut self, ends: impl Fn(&ModelSession) -> bool) -> usize {
        let before = self.live.len();
        let serials = self.live.iter().filter(|s| ends(s)).map(|s| s.serial);
        self.ended.extend(serials);
        self.live.retain(|session| !ends(session));
        before - self.live.len()
    }

    fn find(&mut self, id: &str) -> Option<&mut ModelSession> {
        let named = |s: &&mut ModelSession| s.ids.iter().any(|(known, _)| known == id);
        self.live.iter_mut().find(named)
    }

    fn create(
        &mut self,
        id: &str,
        idle: i64,
        max_age: Option<i64>,
        limit: Option<(usize, bool)>,
    ) -> Created {
        if self.find(id).is_some() {
            return Created::AlreadyLive;
        }
        if let Some((limit, reject)) = limit {
            while self.live.len() >= limit {
                if reject {
                    return Created::LimitReached;
                }
                let unused = |s: &&ModelSession| (s.seen, s.created, handle(s.newest()));
                let longest = self.live.iter().min_by_key(unused).unwrap().serial;
                self.end_where(|session| session.serial == longest);
            }
        }
        let max = max_age.map(|age| self.now + age);
        self.live.push(ModelSession {
            serial: self.serials,
            ids: vec![(id.to_owned(), None)],
            created: self.now,
            seen: self.now,
            idle,
            expires: max.map_or(self.now + idle, |max| max.min(self.now + idle)),
            max,
            data: json!({"serial": self.serials}),
        });
        Created::New
    }

    fn update(&mut self, id: &str, patch: &Value, replace: bool, keep: bool) -> Option<Value> {
        let now = self.now;
        let session = self.find(id)?;
        let new = if replace {
            patch.clone()
        } else {
            naive_merge(&session.data, patch)
        };
        let changed = new != session.data;
        session.data = new;
        if !keep {
            session.use_now(now, None);
            if changed {
                session.seen = now;
            }
        }
        Some(session.data.clone())
    }

    fn rotate(&mut self, id: &str, new: &str, grace: Option<i64>) -> bool {
        let now = self.now;
        let Some(session) = self.find(id) else {
            return false;
        };
        match grace {
            Some(grace) => session.ids.last_mut().unwrap().1 = Some(now + grace),
            None => {
                session.ids.pop();
                session.ids.retain(|(known, _)| known != id);
            }
        }
        session.ids.push((new.to_owned(), None));
        true
    }
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

/// An id out of all that were ever used, and one more.
type AnyId = proptest::sample::Index;

#[derive(Clone, Debug)]
enum Step {
    Create(Option<AnyId>, i64, Option<i64>, Option<(usize, bool)>),
    Get(AnyId),
    Touch(AnyId, Option<i64>),
    Update(AnyId, u8, Option<u8>, bool, bool),
    Rotate(AnyId, Option<i64>),
    Revoke(AnyId),
    RevokeAll(Option<AnyId>),
    List(Option<AnyId>),
    Sleep(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let id = any::<AnyId>;
    let maybe = proptest::option::of::<BoxedStrategy<i64>>;
    let ms = |max: i64| (1..max).boxed();
    let limit = proptest::option::of((1..4usize, any::<bool>()));
    prop_oneof![
        4 => (proptest::option::weighted(0.3, id()), 1..300i64, maybe(ms(600)), limit)
            .prop_map(|(id, idle, max, limit)| Step::Create(id, idle, max, limit)),
        3 => id().prop_map(Step::Get),
        4 => (id(), maybe(ms(300))).prop_map(|(id, timeout)| Step::Touch(id, timeout)),
        4 => (id(), 0..3u8, proptest::option::of(0..3u8), proptest::bool::weighted(0.2), any::<bool>())
            .prop_map(|(id, member, value, replace, keep)| Step::Update(id, member, value, replace, keep)),
        4 => (id(), maybe(ms(200))).prop_map(|(id, grace)| Step::Rotate(id, grace)),
        2 => id().prop_map(Step::Revoke),
        1 => proptest::option::weighted(0.7, id()).prop_map(Step::RevokeAll),
        3 => proptest::option::of(id()).prop_map(Step::List),
        5 => prop_oneof![1..20i64, 20..200i64].prop_map(Step::Sleep),
    ]
}

/// Both sides of the comparison, and the ids used so far.
struct Pair {
    owner: Owner,
    model: Model,
    ids: Vec<String>,
}

impl Pair {
    fn new() -> Self {
        let owner = Owner::new();
        let model = Model {
            now: owner.now,
            ..Model::default()
        };
        Self {
            owner,
            model,
            ids: vec!["never used".to_owned()],
        }
    }

    fn pick(&self, id: AnyId) -> String {
        id.get(&self.ids).clone()
    }

    fn fresh(&mut self) -> String {
        let id = format!("id {}", self.ids.len());
        self.ids.push(id.clone());
        id
    }

    /// A view is what the model knows of a session, and of none that has ended.
    fn assert_same(&self, view: &View, session: &ModelSession) {
        let data: Value = serde_json::from_str(&view.data).unwrap();
        assert_eq!(data, session.data);
        assert!(!self.model.ended.contains(&session.serial));
        assert_eq!(view.handle, handle(session.newest()));
        assert_eq!(
            (view.created_at, view.seen_at, view.expires_at),
            (session.created, session.seen, session.expires)
        );
    }

    fn assert_same_option(&self, view: Option<View>, session: Option<ModelSession>) {
        assert_eq!(view.is_some(), session.is_some());
        if let (Some(view), Some(session)) = (view, session) {
            self.assert_same(&view, &session);
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Create(id, idle, max_age, limit) => self.create(id, idle, max_age, limit),
            Step::Get(id) => {
                let id = self.pick(id);
                let session = self.model.find(&id).cloned();
                self.assert_same_option(self.owner.get(&id).unwrap(), session);
            }
            Step::Touch(id, timeout) => self.touch(id, timeout),
            Step::Update(id, member, value, replace, keep) => {
                self.update(id, member, value, replace, keep);
            }
            Step::Rotate(id, grace) => {
                let (id, new) = (self.pick(id), self.fresh());
                let rotated = self.owner.rotate(&id, &new, grace).unwrap();
                assert_eq!(rotated, self.model.rotate(&id, &new, grace));
            }
            Step::Revoke(id) => {
                let id = self.pick(id);
                let serial = self.model.find(&id).map(|session| session.serial);
                let ended = self
                    .model
                    .end_where(|session| Some(session.serial) == serial);
                assert_eq!(self.owner.revoke(&id), Ok(ended == 1));
            }
            Step::RevokeAll(except) => {
                let except = except.map(|id| self.pick(id));
                let kept = except.as_ref().and_then(|id| self.model.find(id));
                let kept = kept.map(|session| session.serial);
                let ended = self.model.end_where(|session| Some(session.serial) != kept);
                assert_eq!(self.owner.revoke_all(except.as_deref()), Ok(ended));
                self.assert_holds_only_what_is_live();
            }
            Step::List(current) => self.list(current),
            Step::Sleep(ms) => {
                self.owner.sleep(ms);
                self.model.sleep(ms);
            }
        }
        self.owner.check();
    }

    fn create(
        &mut self,
        id: Option<AnyId>,
        idle: i64,
        max_age: Option<i64>,
        limit: Option<(usize, bool)>,
    ) {
        let id = match id {
            Some(id) => self.pick(id),
            None => self.fresh(),
        };
        self.model.serials += 1;
        let data = json!({"serial": self.model.serials}).to_string();
        let created = self
            .owner
            .create_with(&id, idle, max_age, limit, &data)
            .unwrap();
        assert_eq!(created, self.model.create(&id, idle, max_age, limit));
        if created == Created::New {
            self.assert_holds_only_what_is_live();
        }
    }

    fn touch(&mut self, id: AnyId, timeout: Option<i64>) {
        let id = self.pick(id);
        let before = self.owner.hash.clone();
        let view = self.owner.touch(&id, timeout).unwrap();
        let now = self.model.now;
        let used = self
            .model
            .find(&id)
            .is_some_and(|session| session.use_now(now, timeout));
        assert_eq!(
            self.owner.hash != before,
            used,
            "writes exactly if it is worth it"
        );
        let session = self.model.find(&id).cloned();
        self.assert_same_option(view, session);
    }

    fn update(&mut self, id: AnyId, member: u8, value: Option<u8>, replace: bool, keep: bool) {
        let id = self.pick(id);
        let name = format!("m{member}");
        let mut patch = json!({ name: value });
        if replace && let Some(session) = self.model.find(&id) {
            patch["serial"] = session.data["serial"].clone();
        }
        let text = patch.to_string();
        let new = self.owner.update_with(&id, &text, replace, keep).unwrap();
        let new = new.map(|new| serde_json::from_str::<Value>(&new).unwrap());
        assert_eq!(new, self.model.update(&id, &patch, replace, keep));
        let session = self.model.find(&id).cloned();
        self.assert_same_option(self.owner.get(&id).unwrap(), session);
    }

    fn list(&mut self, current: Option<AnyId>) {
        let current = current.map(|id| self.pick(id));
        let listing = self.owner.list(current.as_deref()).unwrap();
        let named = current.and_then(|id| self.model.find(&id).cloned());
        assert_eq!(
            listing.current,
            named.map(|session| handle(session.newest()))
        );
        assert_eq!(listing.sessions.len(), self.model.live.len());
        let newest_first = |pair: &[View]| pair[0].created_at >= pair[1].created_at;
        assert!(listing.sessions.windows(2).all(newest_first));
        for view in &listing.sessions {
            let same = |s: &&ModelSession| handle(s.newest()) == view.handle;
            self.assert_same(view, self.model.live.iter().find(same).unwrap());
        }
    }

    fn assert_holds_only_what_is_live(&self) {
        let contents = Contents::read(&self.owner.hash);
        let old_ids: usize = self.model.live.iter().map(|s| s.ids.len() - 1).sum();
        assert_eq!(contents.sessions.len(), self.model.live.len());
        assert_eq!(contents.old.len(), old_ids);
        assert_eq!(
            self.owner.hash.fields.is_empty(),
            self.model.live.is_empty()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn sessions_do_what_a_naive_list_of_them_would(steps in proptest::collection::vec(step(), 1..120)) {
        let mut pair = Pair::new();
        for step in steps {
            pair.run(step);
        }
    }
}
