//! The module's settings as the server's own configuration.
//!
//! Three ways lead to a value: an argument of `loadmodule` replaces the default, a line of
//! redis.conf or `MODULE LOADEX … CONFIG` wins over both, `CONFIG SET` changes it later. All use
//! the full name, `appkit.` included. A switch is settled by then: `CONFIG SET` is refused.

use std::os::raw::{c_char, c_int, c_longlong, c_uint, c_void};

use redis_module::raw;

use super::api::rm;
use super::call::string_bytes;
use crate::error::Printable;
use crate::settings::{self, Kind, Setting};

const PREFIX: &[u8] = b"appkit.";

/// Registers every setting and takes the values that the server has for them.
///
/// # Safety
/// `ctx` and `args` are those of the module's load callback, and all required calls are there.
pub(super) unsafe fn register(
    ctx: *mut raw::RedisModuleCtx,
    args: &[*mut raw::RedisModuleString],
) -> Result<(), String> {
    // SAFETY: the server keeps the arguments alive during the load callback.
    let args: Vec<&[u8]> = args
        .iter()
        .map(|arg| unsafe { string_bytes(*arg) })
        .collect();
    let defaults = Defaults::parse(&args)?;
    for &setting in settings::ALL {
        // SAFETY: as the caller vouches.
        let status = unsafe { register_one(ctx, setting, defaults.of(setting)) };
        if status != raw::REDISMODULE_OK as c_int {
            return Err(format!(
                "the server refused the setting {}",
                full_name(setting)
            ));
        }
    }
    // SAFETY: as the caller vouches.
    if unsafe { rm!(RedisModule_LoadConfigs(ctx)) } != raw::REDISMODULE_OK as c_int {
        return Err("a configured value of appkit.* was not accepted".into());
    }
    Ok(())
}

/// # Safety
/// `ctx` is that of the module's load callback, and all required calls are there.
unsafe fn register_one(
    ctx: *mut raw::RedisModuleCtx,
    setting: &'static Setting,
    default: i64,
) -> c_int {
    let name = setting.name.as_ptr();
    let itself = std::ptr::from_ref(setting).cast_mut().cast();
    // SAFETY: as the caller vouches; the setting is static, and the callbacks take it back.
    unsafe {
        match setting.kind {
            Kind::Integer { min, max } => rm!(RedisModule_RegisterNumericConfig(
                ctx,
                name,
                default,
                raw::REDISMODULE_CONFIG_DEFAULT as c_uint,
                min,
                max,
                Some(get),
                Some(set),
                None,
                itself,
            )),
            Kind::Switch => rm!(RedisModule_RegisterBoolConfig(
                ctx,
                name,
                c_int::from(default != 0),
                raw::REDISMODULE_CONFIG_IMMUTABLE as c_uint,
                Some(get_switch),
                Some(set_switch),
                None,
                itself,
            )),
        }
    }
}

/// The defaults, as the arguments of `loadmodule` change them.
struct Defaults(Vec<(&'static Setting, i64)>);

impl Defaults {
    fn parse(args: &[&[u8]]) -> Result<Defaults, String> {
        let mut values = Vec::new();
        for pair in args.chunks(2) {
            let name = pair.first().copied().unwrap_or_default();
            let setting = find(name).ok_or_else(|| unknown(name))?;
            let value = pair.get(1).and_then(|value| parse(setting.kind, value));
            values.push((setting, value.ok_or_else(|| not_accepted(setting))?));
        }
        Ok(Defaults(values))
    }

    fn of(&self, setting: &'static Setting) -> i64 {
        let given = self
            .0
            .iter()
            .rfind(|(other, _)| std::ptr::eq(*other, setting));
        given.map_or(setting.default, |(_, value)| *value)
    }
}

/// The value of a setting of this kind; `None` where it does not take it.
fn parse(kind: Kind, value: &[u8]) -> Option<i64> {
    match kind {
        Kind::Integer { min, max } => {
            let value = std::str::from_utf8(value).ok()?.parse().ok()?;
            (min..=max).contains(&value).then_some(value)
        }
        Kind::Switch if value.eq_ignore_ascii_case(b"yes") => Some(1),
        Kind::Switch if value.eq_ignore_ascii_case(b"no") => Some(0),
        Kind::Switch => None,
    }
}

fn find(name: &[u8]) -> Option<&'static Setting> {
    let name = name.to_ascii_lowercase();
    let short = name.strip_prefix(PREFIX)?;
    settings::ALL
        .iter()
        .find(|setting| setting.name.to_bytes() == short)
        .copied()
}

fn full_name(setting: &Setting) -> String {
    format!("appkit.{}", setting.name.to_string_lossy())
}

fn unknown(name: &[u8]) -> String {
    let known: Vec<String> = settings::ALL
        .iter()
        .map(|setting| full_name(setting))
        .collect();
    let (name, known) = (Printable::new(name), known.join(", "));
    format!("unknown load argument '{name}'; accepted, each with a value: {known}")
}

fn not_accepted(setting: &Setting) -> String {
    let name = full_name(setting);
    match setting.kind {
        Kind::Integer { min, max } => format!("{name} must be an integer from {min} to {max}"),
        Kind::Switch => format!("{name} must be yes or no"),
    }
}

/// # Safety
/// Called by the server with the setting that was registered.
unsafe extern "C" fn get(_name: *const c_char, setting: *mut c_void) -> c_longlong {
    // SAFETY: a static `Setting`, put there by `register`.
    unsafe { &*setting.cast::<Setting>() }.get()
}

/// # Safety
/// Called by the server with the setting that was registered, in its range.
unsafe extern "C" fn set(
    _name: *const c_char,
    value: c_longlong,
    setting: *mut c_void,
    _error: *mut *mut raw::RedisModuleString,
) -> c_int {
    // SAFETY: a static `Setting`, put there by `register`.
    unsafe { &*setting.cast::<Setting>() }.set(value);
    raw::REDISMODULE_OK as c_int
}

/// # Safety
/// Called by the server with the setting that was registered.
unsafe extern "C" fn get_switch(_name: *const c_char, setting: *mut c_void) -> c_int {
    // SAFETY: a static `Setting`, put there by `register`.
    c_int::from(unsafe { &*setting.cast::<Setting>() }.is_on())
}

/// # Safety
/// Called by the server with the setting that was registered, and 1 or 0.
unsafe extern "C" fn set_switch(
    _name: *const c_char,
    value: c_int,
    setting: *mut c_void,
    _error: *mut *mut raw::RedisModuleString,
) -> c_int {
    // SAFETY: a static `Setting`, put there by `register`.
    unsafe { &*setting.cast::<Setting>() }.set(value.into());
    raw::REDISMODULE_OK as c_int
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The texts and values of both ends of what a setting takes.
    fn ends(setting: &Setting) -> [(String, i64); 2] {
        match setting.kind {
            Kind::Integer { min, max } => [min, max].map(|value| (value.to_string(), value)),
            Kind::Switch => [("No".into(), 0), ("yes".into(), 1)],
        }
    }

    #[test]
    fn load_arguments_replace_defaults() {
        for &setting in settings::ALL {
            let name = full_name(setting);
            for (text, value) in ends(setting) {
                let defaults = Defaults::parse(&[name.as_bytes(), text.as_bytes()]).unwrap();
                assert_eq!(defaults.of(setting), value);
            }
            assert_eq!(Defaults::parse(&[]).unwrap().of(setting), setting.default);
        }
    }

    #[test]
    fn bad_load_arguments_are_named() {
        let error = |args: &[&[u8]]| Defaults::parse(args).err().unwrap();
        assert!(error(&[b"max-nothing", b"1"]).starts_with("unknown load argument 'max-nothing'"));
        for &setting in settings::ALL {
            let name = full_name(setting);
            for value in [&b"many"[..], b"-1", b""] {
                assert_eq!(error(&[name.as_bytes(), value]), not_accepted(setting));
            }
            assert_eq!(error(&[name.as_bytes()]), not_accepted(setting));
        }
        assert_eq!(
            not_accepted(&settings::CL_THROTTLE),
            "appkit.cl-throttle must be yes or no"
        );
    }

    proptest! {
        #[test]
        fn any_load_arguments_are_taken_or_refused(
            names in prop::collection::vec((0..=settings::ALL.len(), any::<Vec<u8>>()), 0..4),
        ) {
            let name = |which: usize| settings::ALL.get(which).map_or("x".into(), |s| full_name(s));
            let pairs = names.into_iter().map(|(which, value)| [name(which).into_bytes(), value]);
            let arguments: Vec<Vec<u8>> = pairs.flatten().collect();
            let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            if let Err(text) = Defaults::parse(&arguments) {
                prop_assert!(text.contains("appkit."));
            }
        }
    }
}
