//! `docs/operations.md` and what belongs to it: settings, counters, the exporter's script, the dashboard.

use std::collections::BTreeSet;

use crate::support::{Server, info};
use crate::{root, server_with_everything};

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The cells of the table rows of the page whose first cell is a name in code that starts with `prefix`.
fn rows(prefix: &str) -> Vec<Vec<String>> {
    let page = read("docs/operations.md");
    let rows = page
        .lines()
        .filter(|line| line.starts_with(&format!("| `{prefix}")));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|');
        cells
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect()
    };
    rows.map(cells).collect()
}

/// The counters of `INFO appkit`, in its order, without the prefix.
fn counters() -> Vec<String> {
    let server = Server::start();
    let section = server.client().run("INFO appkit").text();
    let lines = section
        .lines()
        .filter_map(|line| line.strip_prefix("appkit_"));
    lines
        .map(|line| line.split(':').next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_counter_is_explained_in_the_order_of_info() {
    let explained: Vec<String> = rows("appkit_")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    let counters: Vec<String> = counters()
        .iter()
        .map(|name| format!("appkit_{name}"))
        .collect();
    assert_eq!(explained, counters);
}

#[test]
fn what_goes_up_and_down_is_marked() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("APP.CACHE.GETORLOAD k LEASE 100000");
    let before = info(&mut redis, "appkit");
    redis.run("APP.CACHE.INVALIDATE k").int();
    let after = info(&mut redis, "appkit");
    let fell = |name: &String| after[name].parse::<u64>().unwrap() < before[name].parse().unwrap();
    let fallen: Vec<&String> = before.keys().filter(|name| fell(name)).collect();
    assert_eq!(fallen, ["appkit_cache_leases"]);
    let marked = rows("appkit_")
        .into_iter()
        .filter(|row| row[1].starts_with("*now*"));
    let marked: BTreeSet<String> = marked.map(|row| row[0].clone()).collect();
    let expected = ["cache_leases", "cache_waiting", "lock_waiting"];
    assert_eq!(marked, expected.map(|name| format!("appkit_{name}")).into());
}

#[test]
fn every_setting_is_explained_with_its_default() {
    let server = Server::start();
    let settings = server.client().run("CONFIG GET appkit.*").pairs();
    let settings: BTreeSet<(String, String)> = settings
        .iter()
        .map(|(name, value)| (name.clone(), value.text()))
        .collect();
    let explained = rows("appkit.")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()));
    assert_eq!(explained.collect::<BTreeSet<_>>(), settings);
    let configuration = read("redis.conf");
    for (name, default) in settings {
        assert!(
            configuration.contains(&format!("# {name} {default}\n")),
            "redis.conf: {name}"
        );
    }
}

#[test]
fn the_exporters_script_returns_every_counter_as_text() {
    let server = server_with_everything();
    let mut redis = server.client();
    redis.run("APP.RATELIMIT k 1 EX 60").ints();
    let script = read("docs/operations/redis_exporter.lua");
    let reply = redis.call(redis::cmd("EVAL").arg(script).arg(0));
    let texts: Vec<String> = reply.items().iter().map(|item| item.text()).collect();
    let names: Vec<String> = texts.chunks(2).map(|pair| pair[0].clone()).collect();
    assert_eq!(names, counters());
    assert_eq!(
        texts[..4],
        ["ratelimit_allowed", "1", "ratelimit_refused", "0"]
    );
}

#[test]
fn the_dashboard_shows_every_counter_and_no_other() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("docs/operations/grafana.json")).unwrap();
    let mut shown = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let keys = expression.split("key=\"").skip(1);
            shown.extend(keys.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
    assert_eq!(shown, counters().into_iter().collect());
}
