//! Memory and latency, second by second.

use std::time::{Duration, Instant};

use crate::support::{Client, Server, used_memory};
use crate::workload::Load;

pub struct Probe {
    redis: Client,
    samples: Vec<Sample>,
}

struct Sample {
    memory: i64,
    latency: Duration,
}

/// What may come and go from second to second: buffers of connections, tables that are resized.
const MEMORY_NOISE: i64 = 2 << 20;

/// What other programs on the machine may add to a median.
const LATENCY_NOISE: Duration = Duration::from_millis(3);

impl Probe {
    pub fn new(server: &Server) -> Probe {
        Probe {
            redis: server.client(),
            samples: Vec::new(),
        }
    }

    /// The memory in use, and the median of some calls.
    pub fn look(&mut self, load: &Load) {
        let memory = used_memory(&mut self.redis);
        let mut spans: Vec<Duration> = (0..41).map(|_| self.call()).collect();
        spans.sort();
        let latency = spans[spans.len() / 2];
        self.samples.push(Sample { memory, latency });
        if self.samples.len().is_multiple_of(60) {
            let (minutes, calls) = (self.samples.len() / 60, load.calls());
            println!("{minutes} min: {calls} calls, {memory} bytes, median latency {latency:?}");
        }
    }

    fn call(&mut self) -> Duration {
        let started = Instant::now();
        self.redis.run("APP.RATELIMIT.PEEK probe 10 EX 60").ints();
        started.elapsed()
    }

    /// The second quarter, when everything has warmed up, against the last one.
    pub fn assert_steady(&self) {
        let quarter = self.samples.len() / 4;
        let early = &self.samples[quarter..2 * quarter];
        let late = &self.samples[3 * quarter..];
        let memory = |samples: &[Sample]| median(samples, |sample| sample.memory);
        let latency = |samples: &[Sample]| median(samples, |sample| sample.latency);
        let (before, after) = (memory(early), memory(late));
        let (fast, slow) = (latency(early), latency(late));
        println!(
            "figures: median memory {before} bytes in the second quarter, {after} in the last; \
             median latency {fast:?} and {slow:?}"
        );
        assert!(
            after <= before + before / 20 + MEMORY_NOISE,
            "memory grows: {before} to {after}"
        );
        assert!(
            slow <= fast * 2 + LATENCY_NOISE,
            "latency grows: {fast:?} to {slow:?}"
        );
    }
}

fn median<T: Ord>(samples: &[Sample], of: impl Fn(&Sample) -> T) -> T {
    let mut values: Vec<T> = samples.iter().map(of).collect();
    values.sort();
    values.swap_remove(values.len() / 2)
}
