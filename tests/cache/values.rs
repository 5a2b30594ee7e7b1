//! Any string is a value: empty, binary, long, an integer; whoever wrote it, and as it is.

use crate::caller::{Loaded, lease, load};
use crate::support::{Client, Server};

fn long_value(bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|i| (i.wrapping_mul(31) >> 3) as u8)
        .collect()
}

fn load_bytes(redis: &mut Client, key: &str) -> Loaded {
    let mut call = redis::cmd("APP.CACHE.GETORLOAD");
    call.arg(key).arg("LEASE").arg(600_000);
    Loaded::of(&redis.call(&call))
}

#[test]
fn values_are_any_bytes_of_any_length() {
    let server = Server::start();
    let mut redis = server.client();
    let values = [
        Vec::new(),
        b"\0".to_vec(),
        b"\r\n$5\r\n".to_vec(),
        b"\xff\xfe\0\0".to_vec(),
        b"0".to_vec(),
        b"-9223372036854775808".to_vec(),
        b"1234567890123456789012345678901234567890".to_vec(),
        b"1.50".to_vec(),
        long_value(255),
        long_value(256),
        long_value(1 << 20),
        long_value(64 << 20),
    ];
    for value in values {
        let name = format!("{} bytes", value.len());
        redis.run("FLUSHALL").ok();
        let lease = lease(&mut redis, "k");
        let mut fill = redis::cmd("APP.CACHE.FILL");
        fill.arg("k").arg(lease).arg(&value).arg("EX").arg(60);
        assert_eq!(redis.call(&fill).int(), 1, "{name}");
        assert!(
            load_bytes(&mut redis, "k").value.as_deref() == Some(&value[..]),
            "{name}"
        );
        assert!(redis.run("GET k").bytes() == value, "{name}");
        let mut other = redis::cmd("APP.CACHE.GETORSET");
        other.arg("k").arg("other").arg("EX").arg(60);
        assert!(redis.call(&other).items()[1].bytes() == value, "{name}");
        let mut set = redis::cmd("APP.CACHE.GETORSET");
        set.arg("k2").arg(&value).arg("EX").arg(60);
        assert!(redis.call(&set).items()[1].bytes() == value, "{name}");
        assert!(redis.run("GET k2").bytes() == value, "{name}");
    }
}

#[test]
fn a_value_that_is_read_keeps_its_encoding_and_its_size() {
    let server = Server::start();
    let mut redis = server.client();
    for length in [
        0, 1, 5, 19, 20, 21, 44, 45, 63, 64, 100, 112, 127, 128, 129, 192, 256, 1000, 70_000,
    ] {
        for digit in ["7", "x"] {
            let value = digit.repeat(length);
            redis.call(redis::cmd("SET").arg("k").arg(&value)).ok();
            let looks = |redis: &mut Client| {
                (
                    redis.run("OBJECT ENCODING k").text(),
                    redis.run("MEMORY USAGE k").int(),
                )
            };
            let before = looks(&mut redis);
            assert_eq!(load(&mut redis, "k LEASE 1").text(), value);
            assert_eq!(
                redis.run("APP.CACHE.GETORSET k other EX 1").items()[1].text(),
                value
            );
            assert_eq!(looks(&mut redis), before, "{length} times {digit}");
        }
    }
}

#[test]
fn values_of_older_code_are_hits_and_older_code_reads_ours() {
    let server = Server::start();
    let mut redis = server.client();
    redis.run("SET k 41 EX 60").ok();
    redis.run("INCR k").int();
    assert_eq!(load(&mut redis, "k LEASE 1").text(), "42");
    let lease = lease(&mut redis, "mine");
    redis
        .run(&format!("APP.CACHE.FILL mine {lease} 7 EX 60"))
        .int();
    assert_eq!(redis.run("INCR mine").int(), 8);
    assert_eq!(redis.run("APPEND mine x").int(), 2);
    assert_eq!(load(&mut redis, "mine LEASE 1").text(), "8x");
    assert_eq!(redis.run("EXPIRE mine 100").int(), 1);
    assert_eq!(redis.run("PERSIST mine").int(), 1);
    assert_eq!(load(&mut redis, "mine LEASE 1").ttl_ms, -1);
}

#[test]
fn a_renamed_get_does_not_keep_values_from_being_read() {
    let server = Server::builder()
        .config("rename-command GET other-get")
        .start();
    let mut redis = server.client();
    redis.run("SET k value").ok();
    assert_eq!(load(&mut redis, "k LEASE 1").text(), "value");
}

#[test]
fn keys_are_any_bytes() {
    let server = Server::start();
    let mut redis = server.client();
    let long = vec![b'k'; 8 << 20];
    let keys: [&[u8]; 6] = [b"", b"\0", b"a\0b", b"\r\n", b"\xff\xfe", &long];
    for key in keys {
        let name = key[..key.len().min(20)].escape_ascii();
        let mut call = redis::cmd("APP.CACHE.GETORLOAD");
        call.arg(key).arg("LEASE").arg(60_000);
        let loaded = Loaded::of(&redis.call(&call));
        assert!(loaded.is("LOAD"), "{name}");
        assert!(Loaded::of(&redis.call(&call)).is("BUSY"), "{name}");
        let mut fill = redis::cmd("APP.CACHE.FILL");
        fill.arg(key).arg(loaded.lease()).arg("v").arg("EX").arg(60);
        assert_eq!(redis.call(&fill).int(), 1, "{name}");
        assert!(Loaded::of(&redis.call(&call)).is("HIT"), "{name}");
        let invalidate = redis.call(redis::cmd("APP.CACHE.INVALIDATE").arg(key).arg("none"));
        assert_eq!(invalidate.int(), 1, "{name}");
    }
    assert_eq!(redis.run("DBSIZE").int(), 0);
}
