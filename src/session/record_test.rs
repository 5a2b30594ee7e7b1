//! The text of records.

use proptest::prelude::*;

use super::handle::Handle;
use super::record::*;

fn old_id() -> impl Strategy<Value = OldId> {
    (any::<[u8; 4]>(), 0..=i64::MAX).prop_map(|(id, until)| OldId {
        handle: Handle::of_id(&id),
        until,
    })
}

fn header() -> impl Strategy<Value = Header> {
    let time = 0..=i64::MAX;
    let old = proptest::collection::vec(old_id(), 0..=MAX_OLD_IDS);
    let max = proptest::option::of(time.clone());
    (time.clone(), time.clone(), 1..=i64::MAX, time, max, old).prop_map(
        |(created, seen, idle, expires, max, old)| Header {
            created,
            seen,
            idle,
            expires: max.map_or(expires, |max| expires.min(max)),
            max,
            old,
        },
    )
}

fn encode(record: &Record) -> Vec<u8> {
    match record {
        Record::Session(header, data) => encode_session(header, data.as_bytes()),
        Record::Old(handle) => encode_old(*handle),
    }
}

#[test]
fn a_session_is_stored_as_readable_text() {
    let header = Header {
        created: 1_700_000_000_000,
        seen: 1_700_000_060_000,
        idle: 1_800_000,
        expires: 1_700_001_860_000,
        max: Some(1_700_028_800_000),
        old: vec![OldId {
            handle: Handle::of_id(b"abc"),
            until: 1_700_000_090_000,
        }],
    };
    assert_eq!(
        encode_session(&header, b"{}"),
        b"created=1700000000000 seen=1700000060000 idle=1800000 expires=1700001860000 \
         max=1700028800000 old=ungWv48Bz-pBQUDeXa4iIw:1700000090000\n{}"
    );
    assert_eq!(
        encode_old(Handle::of_id(b"abc")),
        b"now=ungWv48Bz-pBQUDeXa4iIw"
    );
    assert_eq!(
        encode_index(1_700_001_860_000),
        b"appkit:session:1 1700001860000"
    );
}

#[test]
fn what_these_commands_do_not_write_is_damage() {
    let good = "created=1 seen=2 idle=3 expires=5 max=9\n{}";
    assert!(Record::decode(good.as_bytes()).is_ok());
    for bad in [
        "",
        "{}",
        "\n{}",
        "created=1 seen=2 idle=3 expires=5",
        "created=1 seen=2 idle=3 expires=5\n",
        "created=1 seen=2 idle=3 expires=5\n{",
        "created=1 seen=2 idle=3 expires=5\n}",
        "created=1 seen=2 idle=3 expires=5\n[]",
        "created=1 seen=2 idle=3\n{}",
        "created=1 seen=2 idle=0 expires=5\n{}",
        "created=1 seen=2 idle=03 expires=5\n{}",
        "created=+1 seen=2 idle=3 expires=5\n{}",
        "created=-1 seen=2 idle=3 expires=5\n{}",
        "created= seen=2 idle=3 expires=5\n{}",
        "created=1  seen=2 idle=3 expires=5\n{}",
        "created=1 seen=2 idle=3 expires=5 \n{}",
        "seen=2 created=1 idle=3 expires=5\n{}",
        "created=1 seen=2 idle=3 expires=9223372036854775808\n{}",
        "created=1 seen=2 idle=3 expires=18446744073709551621\n{}",
        "created=1 seen=2 idle=3 expires=00000000000000000005\n{}",
        "created=1 seen=2 idle=3 expires=5 max=4\n{}",
        "created=1 seen=2 idle=3 expires=5 old=\n{}",
        "created=1 seen=2 idle=3 expires=5 old=abc:9\n{}",
        "created=1 seen=2 idle=3 expires=5 old=ungWv48Bz-pBQUDeXa4iIw\n{}",
        "created=1 seen=2 idle=3 expires=5 old=ungWv48Bz-pBQUDeXa4iIw:7,\n{}",
        "created=1 seen=2 idle=3 expires=5 old=ungWv48Bz-pBQUDeXa4iIw:7 max=9\n{}",
        "created=1 seen=2 idle=3 expires=5 new=7\n{}",
        "now=",
        "now=abc",
        "now=ungWv48Bz-pBQUDeXa4iIw\n",
    ] {
        assert_eq!(Record::decode(bad.as_bytes()), Err(Damaged), "{bad:?}");
    }
    assert_eq!(
        Record::decode(b"created=1 seen=2 idle=3 expires=5\n{\"a\":\"\xff\"}"),
        Err(Damaged)
    );
}

#[test]
fn another_index_is_not_ours() {
    for bad in [
        "",
        "appkit:session:1",
        "appkit:session:10 5",
        "appkit:session:2 5",
        "appkit:lock:1 5 x",
    ] {
        assert!(!is_index(bad.as_bytes()), "{bad:?}");
        assert_eq!(decode_index(bad.as_bytes()), Err(Damaged), "{bad:?}");
    }
    for unreadable in ["appkit:session:1 ", "appkit:session:1 -5"] {
        assert!(is_index(unreadable.as_bytes()));
        assert_eq!(decode_index(unreadable.as_bytes()), Err(Damaged));
    }
}

proptest! {
    #[test]
    fn a_session_reads_back(header in header()) {
        let text = encode_session(&header, b"{\"a\":\n1}");
        prop_assert_eq!(
            Record::decode(&text),
            Ok(Record::Session(header, "{\"a\":\n1}"))
        );
    }

    #[test]
    fn an_index_reads_back(latest in 0..=i64::MAX) {
        prop_assert_eq!(decode_index(&encode_index(latest)), Ok(latest));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>()) {
        let _ = Record::decode(&bytes);
        let _ = decode_index(&bytes);
    }

    /// Whatever reads is what would be written: a damaged byte is never read as something near.
    #[test]
    fn a_changed_byte_is_damage_or_the_text_of_another_record(
        header in header(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encode_session(&header, b"{}");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(record) = Record::decode(&bytes) {
            prop_assert_eq!(encode(&record), bytes);
        }
    }
}
