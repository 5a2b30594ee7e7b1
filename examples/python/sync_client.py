"""All four families with redis-py's synchronous client: plain `execute_command` calls."""

import json
import math
import threading
import time
import uuid

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry


def as_map(reply):
    """A map comes as a dict in RESP3 and as a flat list of names and values in RESP2."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))


def rate_limit(r, prefix):
    """Three calls a minute: the fourth is refused and told when to come back."""
    key = f"{prefix}:limit:alice"
    for left in (2, 1, 0):
        allowed, limit, remaining, *_ = r.execute_command("APP.RATELIMIT", key, 3, "EX", 60)
        assert (allowed, limit, remaining) == (1, 3, left)

    allowed, limit, remaining, retry_after_ms, _, next_ms, _ = r.execute_command(
        "APP.RATELIMIT", key, 3, "EX", 60
    )
    headers = {
        "RateLimit-Policy": '"login";q=3;w=60',
        "RateLimit": f'"login";r={remaining};t={math.ceil(next_ms / 1000)}',
        "Retry-After": str(math.ceil(retry_after_ms / 1000)),
    }
    assert allowed == 0 and 55 <= int(headers["Retry-After"]) <= 62, headers

    # The log-in succeeded after all: what it was charged is given back.
    r.execute_command("APP.RATELIMIT.REFUND", key, 3, "EX", 60)
    peek = as_map(r.execute_command("APP.RATELIMIT.PEEK", key, 3, "EX", 60, "FULL"))
    assert peek["allowed"] == 1 and as_map(peek["rules"][0])["remaining"] == 1


def sessions(r, prefix):
    """One key holds all sessions of a user, so logging out everywhere is one step."""
    key = f"{prefix}:sessions:alice"
    phone = r.execute_command(
        "APP.SESSION.CREATE", key, "EX", 1800, "MAXAGE", 86_400_000,
        "DATA", json.dumps({"device": "phone"}), "LIMIT", 5,
    )  # fmt: skip
    # What a web app puts into its cookie: the user finds the key, the id the session.
    assert f"alice.{phone}".partition(".")[2] == phone
    laptop = r.execute_command("APP.SESSION.CREATE", key, "EX", 1800, "DATA", '{"device":"laptop"}')

    assert json.loads(r.execute_command("APP.SESSION.TOUCH", key, phone)) == {"device": "phone"}
    document = r.execute_command("APP.SESSION.UPDATE", key, phone, '{"cart":["socks"]}')
    assert json.loads(document) == {"device": "phone", "cart": ["socks"]}

    # At a log-in: a new id, and the old one for requests that are under way. GRACE also makes it
    # safe that redis-py sends a call again after a lost connection.
    rotated = r.execute_command("APP.SESSION.ROTATE", key, phone, "GRACE", 10_000)
    assert rotated != phone and r.execute_command("APP.SESSION.GET", key, phone) is not None

    # The account page: handles name the devices without being credentials.
    devices = [as_map(d) for d in r.execute_command("APP.SESSION.LIST", key, "CURRENT", rotated)]
    assert [(json.loads(d["data"])["device"], d["current"]) for d in devices] in (
        [("laptop", 0), ("phone", 1)],
        [("phone", 1), ("laptop", 0)],  # made in the same millisecond
    )
    other = next(d["handle"] for d in devices if not d["current"])
    assert r.execute_command("APP.SESSION.REVOKE", key, "HANDLE", other) == 1
    assert r.execute_command("APP.SESSION.GET", key, laptop) is None

    assert r.execute_command("APP.SESSION.REVOKEALL", key) == 1
    # A slow request cannot bring the session back.
    assert r.execute_command("APP.SESSION.UPDATE", key, rotated, '{"cart":[]}') is None


def waiting_client(url, protocol, wait_ms):
    """A client for calls with WAIT.

    redis-py takes a connection out of its pool for each call, so a waiting call keeps nobody else's
    connection busy; but a pool that is shared with the rest of the app can run empty. Its default
    socket_timeout is 5 seconds: one shorter than WAIT breaks off the call and sends it again, to the
    end of the line.
    """
    return redis.from_url(
        url,
        protocol=protocol,
        decode_responses=True,
        client_name="waiter",
        max_connections=20,
        socket_timeout=wait_ms / 1000 + 5,
        retry=Retry(ExponentialWithJitterBackoff(), 3),
    )


def in_background(results, r, *command):
    thread = threading.Thread(target=lambda: results.append(r.execute_command(*command)))
    thread.start()
    return thread


def wait_until_in_line(r, key, waiters):
    deadline = time.monotonic() + 5
    while as_map(r.execute_command("APP.LOCK.INFO", key))["waiters"] != waiters:
        assert time.monotonic() < deadline, "nobody came to wait"
        time.sleep(0.01)


def locks(r, waiter, prefix):
    """A lock with a fence; whoever waits is handed the lock in the server."""
    key = f"{prefix}:lock:report"
    mine, theirs = str(uuid.uuid4()), str(uuid.uuid4())
    held, fence, ttl_ms = r.execute_command("APP.LOCK", key, mine, "EX", 30)
    assert held == 1 and fence > 0 and ttl_ms <= 30_000
    # Sent again (by us, or by the client after a lost connection) it is the same hold.
    assert r.execute_command("APP.LOCK", key, mine, "EX", 30)[:2] == [1, fence]
    assert r.execute_command("APP.LOCK", key, theirs, "EX", 30)[:2] == [0, 0]
    assert r.execute_command("APP.LOCK.EXTEND", key, mine, "EX", 60) == 1

    results = []
    thread = in_background(results, waiter, "APP.LOCK", key, theirs, "EX", 30, "WAIT", 10_000)
    wait_until_in_line(r, key, 1)

    # The connection is lost while the call waits: redis-py sends it again by itself. That does no
    # harm, as the token makes both the same hold.
    for client in r.client_list():
        if client["name"] == "waiter":
            r.client_kill(client["addr"])
    wait_until_in_line(r, key, 1)

    assert r.execute_command("APP.UNLOCK", key, mine) == 1
    thread.join(timeout=5)
    held, next_fence, _ = results[0]
    assert held == 1 and next_fence > fence  # what the storage compares

    # 1 released, 0 somebody else holds it, None nobody does: both failures are falsy.
    assert r.execute_command("APP.UNLOCK", key, mine) == 0
    assert r.execute_command("APP.UNLOCK", key, theirs) == 1
    assert r.execute_command("APP.UNLOCK", key, theirs) is None


def cache(r, waiter, prefix):
    """One caller loads, the others wait for its value; an invalidation beats a slow loader."""
    key = f"{prefix}:cache:page"
    load = ("APP.CACHE.GETORLOAD", key, "LEASE", 5000)
    status, _, lease, _ = r.execute_command(*load)
    assert status == "LOAD"
    assert r.execute_command(*load)[0] == "BUSY"

    results = []
    thread = in_background(results, waiter, *load, "WAIT", 10_000)
    time.sleep(0.1)
    # FILL goes over another connection than the one that waits.
    assert r.execute_command("APP.CACHE.FILL", key, lease, "<p>page</p>", "EX", 60) == 1
    thread.join(timeout=5)
    assert results[0][:2] == ["HIT", "<p>page</p>"]
    assert r.get(key) == "<p>page</p>"

    # EARLY: one caller refreshes what is about to run out, the others get it as it is.
    status, value, refresh, _ = r.execute_command(*load, "EARLY", 120_000)
    assert (status, value) == ("REFRESH", "<p>page</p>")
    # The database changed meanwhile: what the slow loader brings is old and is not stored.
    assert r.execute_command("APP.CACHE.INVALIDATE", key) == 1
    assert r.execute_command("APP.CACHE.FILL", key, refresh, "<p>old</p>", "EX", 60) == 0

    # The database is down: nobody asks it again for a second.
    lease = r.execute_command(*load)[2]
    assert r.execute_command("APP.CACHE.RELEASE", key, lease, "BACKOFF", 1000) == 1
    assert r.execute_command(*load, "WAIT", 5000)[0] == "BUSY"

    counter = f"{prefix}:cache:token"
    assert r.execute_command("APP.CACHE.GETORSET", counter, "a", "EX", 60)[:2] == ["SET", "a"]
    assert r.execute_command("APP.CACHE.GETORSET", counter, "b", "EX", 60)[:2] == ["HIT", "a"]


def has_cache(r):
    return bool(r.command_list(pattern="app.cache.*"))


def run(url):
    for protocol in (2, 3):
        name = f"redis-py sync RESP{protocol}"
        prefix = f"example:{uuid.uuid4()}"
        r = redis.from_url(url, protocol=protocol, decode_responses=True)
        waiter = waiting_client(url, protocol, wait_ms=10_000)
        rate_limit(r, prefix)
        sessions(r, prefix)
        locks(r, waiter, prefix)
        if has_cache(r):
            cache(r, waiter, prefix)
        else:
            print(f"SKIPPED {name}: the cache, which this server's module does not have", flush=True)
        print(f"PASSED {name} [{redis.__version__}]", flush=True)
        waiter.close()
        r.close()
