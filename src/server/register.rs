//! Registration of a command from its [`Spec`].

use std::ffi::CStr;
use std::os::raw::{c_char, c_int};

use redis_module::raw;

use super::api::rm;
use super::trampoline::Registration;
use crate::command::{Arg, ArgKind, KeyAccess, Keys, Spec};

/// Creates one command; `false` where the server refuses, as the name is taken.
///
/// # Safety
/// `ctx` is that of the module's load callback, and all required calls are there.
pub(super) unsafe fn create(ctx: *mut raw::RedisModuleCtx, registration: &Registration) -> bool {
    let spec = registration.spec;
    // SAFETY: as the caller vouches; the strings are static.
    let status = unsafe {
        rm!(RedisModule_CreateCommand(
            ctx,
            spec.name.as_ptr(),
            Some(registration.callback),
            spec.flags.server.as_ptr(),
            1,
            spec.keys.last,
            1,
        ))
    };
    status as isize == raw::REDISMODULE_OK
}

/// Tells the server everything that it can know of a command just created; says what it refused.
///
/// # Safety
/// `ctx` is that of the module's load callback, and all required calls are there.
pub(super) unsafe fn describe(ctx: *mut raw::RedisModuleCtx, spec: &Spec) -> Result<(), String> {
    let check = |status: c_int, step| match status as isize {
        raw::REDISMODULE_OK => Ok(()),
        _ => Err(format!(
            "the server refused {}: {step}",
            spec.name.to_string_lossy()
        )),
    };
    // SAFETY: the context is that of the load callback; strings are static; the server copies the
    // info before it returns, and `args` and `key_specs` live until then.
    unsafe {
        let command = rm!(RedisModule_GetCommand(ctx, spec.name.as_ptr()));
        if command.is_null() {
            check(raw::REDISMODULE_ERR as c_int, "finding it again")?;
        }
        let mut args = DocArgs::new(spec.args);
        let mut key_specs = [key_spec(spec.keys), std::mem::zeroed()];
        let info = command_info(spec, &mut args, &mut key_specs);
        check(
            rm!(RedisModule_SetCommandInfo(command, &info)),
            "describing it",
        )?;
        if let Some(set_categories) = raw::RedisModule_SetCommandACLCategories {
            let categories = spec.flags.acl_categories.as_ptr();
            check(
                set_categories(command, categories),
                "setting its ACL categories",
            )?;
        }
    }
    Ok(())
}

/// The layout of the structures below, as this module was compiled with them.
static INFO_VERSION: raw::RedisModuleCommandInfoVersion = raw::RedisModuleCommandInfoVersion {
    version: 1,
    sizeof_historyentry: size_of::<raw::RedisModuleCommandHistoryEntry>(),
    sizeof_keyspec: size_of::<raw::RedisModuleCommandKeySpec>(),
    sizeof_arg: size_of::<raw::RedisModuleCommandArg>(),
};

fn command_info(
    spec: &Spec,
    args: &mut DocArgs,
    key_specs: &mut [raw::RedisModuleCommandKeySpec; 2],
) -> raw::RedisModuleCommandInfo {
    raw::RedisModuleCommandInfo {
        version: &INFO_VERSION,
        summary: spec.summary.as_ptr(),
        complexity: spec.complexity.as_ptr(),
        since: spec.since.as_ptr(),
        history: std::ptr::null_mut(),
        tips: std::ptr::null(),
        arity: spec.arity,
        key_specs: key_specs.as_mut_ptr(),
        args: args.level.as_mut_ptr(),
    }
}

fn key_spec(keys: Keys) -> raw::RedisModuleCommandKeySpec {
    let flags = match keys.access {
        KeyAccess::Read => raw::REDISMODULE_CMD_KEY_RO | raw::REDISMODULE_CMD_KEY_ACCESS,
        KeyAccess::Look => raw::REDISMODULE_CMD_KEY_RO,
        KeyAccess::ReadInsert => {
            raw::REDISMODULE_CMD_KEY_RW
                | raw::REDISMODULE_CMD_KEY_ACCESS
                | raw::REDISMODULE_CMD_KEY_INSERT
        }
        KeyAccess::Overwrite => raw::REDISMODULE_CMD_KEY_OW | raw::REDISMODULE_CMD_KEY_UPDATE,
        KeyAccess::Remove => raw::REDISMODULE_CMD_KEY_RM | raw::REDISMODULE_CMD_KEY_DELETE,
        KeyAccess::ReadWrite => {
            raw::REDISMODULE_CMD_KEY_RW
                | raw::REDISMODULE_CMD_KEY_ACCESS
                | raw::REDISMODULE_CMD_KEY_UPDATE
        }
        KeyAccess::Update => raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_UPDATE,
        KeyAccess::Delete => raw::REDISMODULE_CMD_KEY_RW | raw::REDISMODULE_CMD_KEY_DELETE,
        KeyAccess::ReadDelete => {
            raw::REDISMODULE_CMD_KEY_RW
                | raw::REDISMODULE_CMD_KEY_ACCESS
                | raw::REDISMODULE_CMD_KEY_DELETE
        }
    };
    raw::RedisModuleCommandKeySpec {
        notes: std::ptr::null(),
        flags: u64::from(flags),
        begin_search_type: raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_INDEX,
        bs: raw::RedisModuleCommandKeySpec__bindgen_ty_1 {
            index: raw::RedisModuleCommandKeySpec__bindgen_ty_1__bindgen_ty_1 { pos: 1 },
        },
        find_keys_type: raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_RANGE,
        fk: raw::RedisModuleCommandKeySpec__bindgen_ty_2 {
            range: raw::RedisModuleCommandKeySpec__bindgen_ty_2__bindgen_ty_1 {
                // Relative to the first key, but for −1, "the last argument".
                lastkey: if keys.last < 0 { keys.last } else { 0 },
                keystep: 1,
                limit: 0,
            },
        },
    }
}

/// The argument tree in the server's form: each level an array that ends with a zeroed element.
/// Owns the levels below, so that the pointers into them stay good.
struct DocArgs {
    level: Vec<raw::RedisModuleCommandArg>,
    _below: Vec<DocArgs>,
}

impl DocArgs {
    fn new(args: &'static [Arg]) -> DocArgs {
        let mut level = Vec::with_capacity(args.len().saturating_add(1));
        let mut below = Vec::new();
        for arg in args {
            let subargs = match arg.kind {
                ArgKind::OneOf(parts) | ArgKind::Block(parts) => {
                    let mut nested = DocArgs::new(parts);
                    // A Vec's buffer stays where it is when the Vec itself moves.
                    let start = nested.level.as_mut_ptr();
                    below.push(nested);
                    start
                }
                _ => std::ptr::null_mut(),
            };
            level.push(doc_arg(arg, subargs));
        }
        // SAFETY: a plain C structure of pointers and integers; all-zero marks the end.
        level.push(unsafe { std::mem::zeroed() });
        DocArgs {
            level,
            _below: below,
        }
    }
}

fn doc_arg(
    arg: &'static Arg,
    subargs: *mut raw::RedisModuleCommandArg,
) -> raw::RedisModuleCommandArg {
    let (type_, key_spec_index) = match arg.kind {
        ArgKind::Key => (raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_KEY, 0),
        ArgKind::String => (
            raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_STRING,
            -1,
        ),
        ArgKind::Integer => (
            raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_INTEGER,
            -1,
        ),
        ArgKind::Keyword => (
            raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_PURE_TOKEN,
            -1,
        ),
        ArgKind::OneOf(_) => (
            raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_ONEOF,
            -1,
        ),
        ArgKind::Block(_) => (
            raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_BLOCK,
            -1,
        ),
    };
    let flag = |set: bool, flag: u32| {
        if set {
            flag
        } else {
            raw::REDISMODULE_CMD_ARG_NONE
        }
    };
    let flags = flag(arg.optional, raw::REDISMODULE_CMD_ARG_OPTIONAL)
        | flag(arg.multiple, raw::REDISMODULE_CMD_ARG_MULTIPLE);
    let token: *const c_char = arg.token.map_or(std::ptr::null(), CStr::as_ptr);
    raw::RedisModuleCommandArg {
        name: arg.name.as_ptr(),
        type_,
        key_spec_index,
        token,
        summary: std::ptr::null(),
        since: std::ptr::null(),
        flags: flags as c_int,
        deprecated_since: std::ptr::null(),
        subargs,
        display_text: std::ptr::null(),
    }
}
