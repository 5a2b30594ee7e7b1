"""The commands in a cluster, with redis-py's synchronous and asyncio cluster clients.

Both find the key of any command, modules' too, in the server's own table (COMMAND): first key 1, so
each call goes to the right node at once. But since 7.1 they first look the name up in a list of
policies and refuse one with two dots, as APP.SESSION.CREATE has: the resolvers below let it through.
"""

import asyncio
import json
import uuid

import redis
import redis.asyncio.cluster
import redis.cluster
from redis.commands.policies import AsyncStaticPolicyResolver, StaticPolicyResolver


class AnyName(StaticPolicyResolver):
    def resolve(self, command_name):
        return None if command_name.count(".") > 1 else super().resolve(command_name)


class AnyNameAsync(AsyncStaticPolicyResolver):
    async def resolve(self, command_name):
        return None if command_name.count(".") > 1 else await super().resolve(command_name)


def moved(nodes):
    """How many calls the nodes have turned away to another node so far."""
    return sum(node.get("errorstat_MOVED", {"count": 0})["count"] for node in nodes)


def sync_calls(url, protocol):
    prefix = f"example:{uuid.uuid4()}"
    options = {"protocol": protocol, "decode_responses": True, "policy_resolver": AnyName()}
    r = redis.cluster.RedisCluster.from_url(url, **options)
    # Its socket_timeout is 5 seconds by default and it sends a call again after a lost connection:
    # for WAIT the same care as with a single server.
    waiter = redis.cluster.RedisCluster.from_url(url, socket_timeout=15, **options)
    errors = "errorstats"
    before = moved(r.info(errors, target_nodes=r.PRIMARIES).values())
    for n in range(30):
        assert r.execute_command("APP.RATELIMIT", f"{prefix}:limit:{n}", 5, "EX", 60)[0] == 1
        key = f"{prefix}:sessions:{n}"
        sid = r.execute_command("APP.SESSION.CREATE", key, "EX", 60, "DATA", json.dumps({"n": n}))
        assert json.loads(r.execute_command("APP.SESSION.GET", key, sid)) == {"n": n}
        lock, token = f"{prefix}:lock:{n}", str(uuid.uuid4())
        assert waiter.execute_command("APP.LOCK", lock, token, "EX", 30, "WAIT", 10_000)[0] == 1
        assert r.execute_command("APP.UNLOCK", lock, token) == 1
        if has_cache(r):
            page = f"{prefix}:cache:{n}"
            status, _, lease, _ = r.execute_command("APP.CACHE.GETORLOAD", page, "LEASE", 5000)
            assert status == "LOAD"
            assert r.execute_command("APP.CACHE.FILL", page, lease, "x", "EX", 60) == 1
    assert moved(r.info(errors, target_nodes=r.PRIMARIES).values()) == before
    waiter.close()
    r.close()


def has_cache(r):
    return bool(r.get_redis_connection(r.get_default_node()).command_list(pattern="app.cache.*"))


async def asyncio_calls(url, protocol):
    prefix = f"example:{uuid.uuid4()}"
    cluster = redis.asyncio.cluster.RedisCluster.from_url(
        url, protocol=protocol, decode_responses=True, policy_resolver=AnyNameAsync()
    )
    async with cluster as r:
        before = moved((await r.info("errorstats", target_nodes=r.PRIMARIES)).values())
        limits = await asyncio.gather(
            *(r.execute_command("APP.RATELIMIT", f"{prefix}:{n}", 5, "EX", 60) for n in range(30))
        )
        assert all(reply[0] == 1 for reply in limits)
        key = f"{prefix}:sessions"
        sid = await r.execute_command("APP.SESSION.CREATE", key, "EX", 60)
        assert await r.execute_command("APP.SESSION.GET", key, sid) == "{}"
        assert moved((await r.info("errorstats", target_nodes=r.PRIMARIES)).values()) == before


def run(url):
    for protocol in (2, 3):
        sync_calls(url, protocol)
        print(f"PASSED redis-py cluster sync RESP{protocol} [{redis.__version__}]", flush=True)
        asyncio.run(asyncio_calls(url, protocol))
        print(f"PASSED redis-py cluster asyncio RESP{protocol} [{redis.__version__}]", flush=True)
