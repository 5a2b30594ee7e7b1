//! Calls that come from scripts and functions.

use super::{Client, Reply};

/// What the words of `call`, about the key `k`, reply in each kind of code that may not write: a
/// read-only script, and a function that is flagged so, called in both ways.
#[track_caller]
pub fn in_read_only_code(redis: &mut Client, call: &str) -> [(&'static str, Reply); 3] {
    let words: Vec<String> = call.split(' ').map(|word| format!("'{word}'")).collect();
    let code = format!("return redis.call({})", words.join(", "));
    let mut eval = redis::cmd("EVAL_RO");
    eval.arg(&code).arg(1).arg("k");
    let mut load = redis::cmd("FUNCTION");
    load.arg("LOAD").arg("REPLACE").arg(format!(
        "#!lua name=lib\nredis.register_function{{function_name='f', flags={{'no-writes'}}, \
         callback=function() {code} end}}"
    ));
    let evaluated = redis.call(&eval);
    redis.call(&load).bytes();
    let [called, called_ro] =
        ["FCALL", "FCALL_RO"].map(|fcall| redis.run(&format!("{fcall} f 1 k")));
    [
        ("EVAL_RO", evaluated),
        ("FCALL", called),
        ("FCALL_RO", called_ro),
    ]
}
