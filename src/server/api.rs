//! The server's calls that the module uses, and which of them it cannot do without.
//!
//! The server fills a table of function pointers when it loads the module and leaves out what it
//! does not have. The calls named here are checked once, at load; `rm!` then calls them without a
//! test. A call that is not named here cannot be made with `rm!`: the build fails. What only some
//! servers have is looked up by `Option` where it is used, never by version number.

macro_rules! required_calls {
    ($($name:ident)*) => {
        #[allow(non_upper_case_globals)]
        pub(in crate::server) mod required {
            $(pub(in crate::server) const $name: () = ();)*
        }

        /// The first call that the module cannot do without and the server lacks.
        pub fn missing_call() -> Option<&'static str> {
            $({
                // SAFETY: the pointers are written once, by the server, before any code of ours.
                let call = unsafe { redis_module::raw::$name };
                if call.is_none() {
                    return Some(stringify!($name));
                }
            })*
            None
        }
    };
}

required_calls! {
    RedisModule_AvoidReplicaTraffic
    RedisModule_BlockClient
    RedisModule_Call
    RedisModule_CallReplyArrayElement
    RedisModule_CallReplyInteger
    RedisModule_CallReplyLength
    RedisModule_CallReplyStringPtr
    RedisModule_CallReplyType
    RedisModule_CloseKey
    RedisModule_CreateCommand
    RedisModule_CreateString
    RedisModule_CreateTimer
    RedisModule_DeleteKey
    RedisModule_FreeCallReply
    RedisModule_FreeString
    RedisModule_GetAbsExpire
    RedisModule_GetBlockedClientHandle
    RedisModule_GetBlockedClientPrivateData
    RedisModule_GetCommand
    RedisModule_GetContextFlags
    RedisModule_GetRandomBytes
    RedisModule_GetSelectedDb
    RedisModule_HashGet
    RedisModule_HashSet
    RedisModule_InfoAddFieldULongLong
    RedisModule_InfoAddSection
    RedisModule_KeyType
    RedisModule_LoadConfigs
    RedisModule_NotifyKeyspaceEvent
    RedisModule_OpenKey
    RedisModule_RedactClientCommandArgument
    RedisModule_RegisterBoolConfig
    RedisModule_RegisterInfoFunc
    RedisModule_RegisterNumericConfig
    RedisModule_Replicate
    RedisModule_ReplyWithArray
    RedisModule_ReplyWithError
    RedisModule_ReplyWithLongLong
    RedisModule_ReplyWithMap
    RedisModule_ReplyWithNull
    RedisModule_ReplyWithStringBuffer
    RedisModule_ScanCursorCreate
    RedisModule_ScanCursorDestroy
    RedisModule_ScanKey
    RedisModule_SelectDb
    RedisModule_SetAbsExpire
    RedisModule_SetCommandInfo
    RedisModule_SetDisconnectCallback
    RedisModule_SetModuleOptions
    RedisModule_SignalModifiedKey
    RedisModule_StopTimer
    RedisModule_StringDMA
    RedisModule_StringPtrLen
    RedisModule_StringSet
    RedisModule_SubscribeToKeyspaceEvents
    RedisModule_SubscribeToServerEvent
    RedisModule_UnblockClient
    RedisModule_ValueLength
}

/// Calls the server. Only for calls that [`missing_call`] has checked.
///
/// The caller's `unsafe` block vouches for the arguments and for being on the server's main thread.
macro_rules! rm {
    ($name:ident($($arg:expr),* $(,)?)) => {{
        const _: () = $crate::server::api::required::$name;
        match redis_module::raw::$name {
            Some(call) => call($($arg),*),
            // The module is not loaded where a required call is missing.
            None => std::hint::unreachable_unchecked(),
        }
    }};
}
pub(in crate::server) use rm;
