"""All four families with redis-py's asyncio client."""

import asyncio
import json
import uuid

import redis
import redis.asyncio

from sync_client import as_map


async def rate_limit(r, prefix):
    """Two rules checked together, charged both or none."""
    call = ("APP.RATELIMIT", f"{prefix}:limit:tenant", 2, "EX", 1, 100, "EX", 60)
    replies = await asyncio.gather(*(r.execute_command(*call) for _ in range(5)))
    assert sum(allowed for allowed, *_ in replies) == 2
    full = as_map(await r.execute_command(*call, "FULL"))
    assert full["allowed"] == 0 and full["rule"] == 0 and full["retry_after_ms"] <= 1032
    assert [as_map(rule)["remaining"] for rule in full["rules"]] == [0, 98]


async def sessions(r, prefix):
    """Requests that run at the same time change different members and lose nothing."""
    key = f"{prefix}:sessions:bob"
    sid = await r.execute_command("APP.SESSION.CREATE", key, "EX", 1800)
    patches = [json.dumps({f"item{n}": n}) for n in range(10)]
    await asyncio.gather(*(r.execute_command("APP.SESSION.UPDATE", key, sid, p) for p in patches))
    meta = as_map(await r.execute_command("APP.SESSION.GET", key, sid, "WITHMETA"))
    assert json.loads(meta["data"]) == {f"item{n}": n for n in range(10)}
    assert meta["expires_at"] > meta["created_at"]
    assert await r.execute_command("APP.SESSION.REVOKE", key, sid) == 1
    assert await r.execute_command("APP.SESSION.TOUCH", key, sid) is None


async def in_line(r, key, waiters):
    async with asyncio.timeout(5):
        while as_map(await r.execute_command("APP.LOCK.INFO", key))["waiters"] != waiters:
            await asyncio.sleep(0.01)


async def locks(r, waiter, prefix):
    """A waiting call is a coroutine like any other; giving it up leaves the line."""
    key = f"{prefix}:lock:report"
    mine, theirs = str(uuid.uuid4()), str(uuid.uuid4())
    call = ("APP.LOCK", key, theirs, "EX", 30, "WAIT", 10_000)
    _, fence, _ = await r.execute_command("APP.LOCK", key, mine, "EX", 30)

    # A cancelled call closes its connection, and the server drops the waiter.
    given_up = asyncio.create_task(waiter.execute_command(*call))
    await in_line(r, key, 1)
    given_up.cancel()
    await in_line(r, key, 0)

    waiting = asyncio.create_task(waiter.execute_command(*call))
    await in_line(r, key, 1)
    assert await r.execute_command("APP.UNLOCK", key, mine) == 1
    held, next_fence, _ = await waiting
    assert held == 1 and next_fence > fence
    assert await r.execute_command("APP.UNLOCK", key, theirs) == 1


async def cache(r, waiter, prefix):
    """Twenty requests for a page that is not there: one loads it."""
    key = f"{prefix}:cache:page"
    loads = 0

    async def page():
        nonlocal loads
        status, value, lease, _ = await waiter.execute_command(
            "APP.CACHE.GETORLOAD", key, "LEASE", 5000, "WAIT", 10_000
        )
        if status == "HIT":
            return value
        assert status == "LOAD"
        loads += 1
        await asyncio.sleep(0.1)
        # Not on the connections that wait: with all of them waiting, FILL would wait for itself.
        await r.execute_command("APP.CACHE.FILL", key, lease, "<p>page</p>", "EX", 60)
        return "<p>page</p>"

    pages = await asyncio.gather(*(page() for _ in range(20)))
    assert set(pages) == {"<p>page</p>"} and loads == 1


async def run(url):
    for protocol in (2, 3):
        name = f"redis-py asyncio RESP{protocol}"
        prefix = f"example:{uuid.uuid4()}"
        options = {"protocol": protocol, "decode_responses": True}
        # Each concurrent call takes a connection out of the client's pool. Calls with WAIT get a
        # client, so a pool, of their own, with a read time-out above WAIT.
        waiter = redis.asyncio.from_url(url, max_connections=50, socket_timeout=15, **options)
        async with redis.asyncio.from_url(url, **options) as r, waiter:
            await rate_limit(r, prefix)
            await sessions(r, prefix)
            await locks(r, waiter, prefix)
            if await r.command_list(pattern="app.cache.*"):
                await cache(r, waiter, prefix)
            else:
                print(f"SKIPPED {name}: the cache, which this server's module does not have", flush=True)
        print(f"PASSED {name} [{redis.__version__}]", flush=True)
