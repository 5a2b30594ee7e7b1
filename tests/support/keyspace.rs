//! Keyspace events, in order.

use super::{Client, Reply, Server, words};

/// A subscriber to all keyspace events of all databases (misses and new keys left out).
pub struct KeyspaceEvents {
    subscriber: Client,
    fences: u64,
}

const FENCE: &str = "__keyspace@fence__:";

impl KeyspaceEvents {
    pub fn listen(server: &Server) -> KeyspaceEvents {
        server
            .client()
            .run("CONFIG SET notify-keyspace-events KA")
            .ok();
        let mut subscriber = server.client();
        subscriber.run("PSUBSCRIBE __keyspace@*__:*");
        KeyspaceEvents {
            subscriber,
            fences: 0,
        }
    }

    /// `(event, key)` of everything that happened so far. `client` is any connection to the same
    /// server: a message through it marks the end, so "none" is known and not waited for.
    #[track_caller]
    pub fn take(&mut self, client: &mut Client) -> Vec<(String, Vec<u8>)> {
        self.fences += 1;
        let fence = format!("{FENCE}{}", self.fences);
        client
            .call(redis::cmd("PUBLISH").arg(&fence).arg("end"))
            .int();
        let mut events = Vec::new();
        loop {
            let message = self.subscriber.frame();
            let [_, _, channel, event] = message.items() else {
                panic!("no message of a pattern: {message:?}");
            };
            if channel.bytes() == fence.as_bytes() {
                return events;
            }
            let channel = channel.bytes();
            let colon = channel
                .iter()
                .position(|&b| b == b':')
                .expect("a keyspace channel");
            events.push((event.text(), channel[colon + 1..].to_vec()));
        }
    }
    /// The names of those events. All of them must be events of `key`.
    #[track_caller]
    pub fn take_of(&mut self, client: &mut Client, key: &str) -> Vec<String> {
        let events = self.take(client);
        let all_of_key = events.iter().all(|(_, at)| at == key.as_bytes());
        assert!(all_of_key, "not all of {key}: {events:?}");
        events.into_iter().map(|(event, _)| event).collect()
    }
}
