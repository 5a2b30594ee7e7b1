/* A module that has the command CL.THROTTLE and nothing else, to see what happens where the name is
 * taken. It declares the four calls that it needs itself, so it is built without any header of the
 * server. */

typedef struct Context Context;
typedef struct String String;
typedef int Callback(Context *, String **, int);

static int (*reply_with_simple_string)(Context *, const char *);

static int throttle(Context *context, String **arguments, int count) {
    (void)arguments;
    (void)count;
    return reply_with_simple_string(context, "OCCUPANT");
}

int RedisModule_OnLoad(Context *context, String **arguments, int count) {
    int (*get_api)(const char *, void *) = *(int (**)(const char *, void *))context;
    void (*set_attributes)(Context *, const char *, int, int);
    int (*create_command)(Context *, const char *, Callback *, const char *, int, int, int);
    (void)arguments;
    (void)count;
    get_api("RedisModule_SetModuleAttribs", &set_attributes);
    get_api("RedisModule_CreateCommand", &create_command);
    get_api("RedisModule_ReplyWithSimpleString", &reply_with_simple_string);
    set_attributes(context, "occupant", 1, 1);
    return create_command(context, "cl.throttle", throttle, "write", 1, 1, 1);
}
