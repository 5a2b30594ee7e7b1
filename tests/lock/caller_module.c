/* A module that passes a call on: TEST.CALL command argument... answers what RM_Call does. Written
 * against the table of pointers that every server hands out, so that it needs no header. */
#include <stddef.h>

static const char *(*StringPtrLen)(const void *string, size_t *len);
static void *(*Call)(void *ctx, const char *command, const char *format, ...);
static int (*ReplyWithCallReply)(void *ctx, void *reply);
static int (*ReplyWithError)(void *ctx, const char *error);
static void (*FreeCallReply)(void *reply);

static int test_call(void *ctx, void **argv, int argc) {
    void *reply = Call(ctx, StringPtrLen(argv[1], NULL), "v", argv + 2, (size_t)(argc - 2));
    if (!reply) return ReplyWithError(ctx, "ERR no reply");
    ReplyWithCallReply(ctx, reply);
    FreeCallReply(reply);
    return 0;
}

int RedisModule_OnLoad(void *ctx, void **argv, int argc) {
    int (*get_api)(const char *, void *) = *(int (**)(const char *, void *))ctx;
    void (*set_attributes)(void *, const char *, int, int);
    int (*create_command)(void *, const char *, int (*)(void *, void **, int), const char *, int, int, int);
    (void)argv, (void)argc;
    get_api("RedisModule_SetModuleAttribs", &set_attributes);
    get_api("RedisModule_CreateCommand", &create_command);
    get_api("RedisModule_StringPtrLen", &StringPtrLen);
    get_api("RedisModule_Call", &Call);
    get_api("RedisModule_ReplyWithCallReply", &ReplyWithCallReply);
    get_api("RedisModule_ReplyWithError", &ReplyWithError);
    get_api("RedisModule_FreeCallReply", &FreeCallReply);
    set_attributes(ctx, "caller", 1, 1);
    return create_command(ctx, "test.call", test_call, "write", 0, 0, 0);
}
