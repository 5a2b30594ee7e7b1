/* A module that passes calls on. TEST.CALL command argument... answers what RM_Call does.
 * TEST.AT key command argument... does that once, in the next event of the key. An argument of
 * loadmodule is a library to be kept in memory for good. Written against the table of pointers that
 * every server hands out, so that it needs no header. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static const char *(*StringPtrLen)(const void *string, size_t *len);
static void *(*Call)(void *ctx, const char *command, const char *format, ...);
static int (*ReplyWithCallReply)(void *ctx, void *reply);
static int (*ReplyWithError)(void *ctx, const char *error);
static int (*ReplyWithLongLong)(void *ctx, long long value);
static void (*FreeCallReply)(void *reply);
static void (*RetainString)(void *ctx, void *string);
static void (*FreeString)(void *ctx, void *string);

static void *due[16];
static int due_count;

static int test_call(void *ctx, void **argv, int argc) {
    void *reply = Call(ctx, StringPtrLen(argv[1], NULL), "v", argv + 2, (size_t)(argc - 2));
    if (!reply) return ReplyWithError(ctx, "ERR no reply");
    ReplyWithCallReply(ctx, reply);
    FreeCallReply(reply);
    return 0;
}

static int test_at(void *ctx, void **argv, int argc) {
    for (due_count = 0; due_count < argc - 1 && due_count < 16; due_count++) {
        due[due_count] = argv[due_count + 1];
        RetainString(NULL, due[due_count]);
    }
    return ReplyWithLongLong(ctx, due_count);
}

static int on_event(void *ctx, int type, const char *event, void *key) {
    int count = due_count;
    void *reply;
    (void)type, (void)event;
    if (!count || strcmp(StringPtrLen(key, NULL), StringPtrLen(due[0], NULL))) return 0;
    due_count = 0;
    reply = Call(ctx, StringPtrLen(due[1], NULL), "v", due + 2, (size_t)(count - 2));
    if (reply) FreeCallReply(reply);
    while (count) FreeString(NULL, due[--count]);
    return 0;
}

int RedisModule_OnLoad(void *ctx, void **argv, int argc) {
    int (*get_api)(const char *, void *) = *(int (**)(const char *, void *))ctx;
    void (*set_attributes)(void *, const char *, int, int);
    int (*create_command)(void *, const char *, int (*)(void *, void **, int), const char *, int, int, int);
    int (*subscribe)(void *, int, int (*)(void *, int, const char *, void *));
    get_api("RedisModule_SetModuleAttribs", &set_attributes);
    get_api("RedisModule_CreateCommand", &create_command);
    get_api("RedisModule_StringPtrLen", &StringPtrLen);
    get_api("RedisModule_Call", &Call);
    get_api("RedisModule_ReplyWithCallReply", &ReplyWithCallReply);
    get_api("RedisModule_ReplyWithError", &ReplyWithError);
    get_api("RedisModule_ReplyWithLongLong", &ReplyWithLongLong);
    get_api("RedisModule_FreeCallReply", &FreeCallReply);
    get_api("RedisModule_RetainString", &RetainString);
    get_api("RedisModule_FreeString", &FreeString);
    get_api("RedisModule_SubscribeToKeyspaceEvents", &subscribe);
    if (argc && !dlopen(StringPtrLen(argv[0], NULL), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) return 1;
    set_attributes(ctx, "caller", 1, 1);
    subscribe(ctx, 1 << 2 | 1 << 3, on_event); /* generic and string */
    return create_command(ctx, "test.call", test_call, "write", 0, 0, 0) ||
           create_command(ctx, "test.at", test_at, "write", 0, 0, 0);
}
