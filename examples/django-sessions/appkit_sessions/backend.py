"""A session engine: SESSION_ENGINE = "appkit_sessions.backend".

A session key is `<owner>.<secret>`. The owner names the Redis key that holds all of its sessions: a
visitor has an owner of his own, a user's is his number. So logging a user out everywhere is one step.
"""

import re
from functools import cache

import redis
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.utils.crypto import get_random_string
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

SECRET_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
# A secret of ours, or a UUID, which a rotation makes.
SESSION_KEY = re.compile(r"([uv][\w-]{1,64})\.([a-z0-9-]{32,36})", re.ASCII)
MOST_SECONDS = 315_360_000  # ten years, the longest lifetime that the server takes
GRACE_MS = 10_000  # for requests under way with the old key, and for a rotation that is sent again


@cache
def connection():
    """One pool of connections for the process. All calls here may be sent again."""
    return redis.from_url(
        getattr(settings, "SESSION_REDIS_URL", "redis://localhost:6379"),
        retry=Retry(ExponentialWithJitterBackoff(), 3),
    )


def redis_key(owner):
    return f"{getattr(settings, 'SESSION_REDIS_PREFIX', 'sessions:')}{owner}"


def secret():
    return get_random_string(32, SECRET_CHARACTERS)


def devices(user_pk, current=""):
    """The live sessions of a user, newest first, for an account page."""
    _, own = split(current) or (None, "")
    reply = connection().execute_command("APP.SESSION.LIST", redis_key(f"u{user_pk}"), "CURRENT", own)
    return [
        {name.decode(): value for name, value in (each.items() if isinstance(each, dict) else pairs(each))}
        for each in reply
    ]


def log_out_everywhere(user_pk, keep=""):
    """Ends all sessions of a user, but for the one with the session key `keep`. How many."""
    found = split(keep)
    but = ["EXCEPT", found[1]] if found else []
    return connection().execute_command("APP.SESSION.REVOKEALL", redis_key(f"u{user_pk}"), *but)


def pairs(flat):
    """The names and values of a map in RESP2."""
    return zip(flat[::2], flat[1::2])


def split(session_key):
    """Redis key and id, or None for what no session can have."""
    match = SESSION_KEY.fullmatch(session_key or "")
    return match and (redis_key(match[1]), match[2])


class SessionStore(SessionBase):
    def _get_new_session_key(self):
        return f"v{secret()}.{secret()}"

    def _call(self, name, session_key, *arguments):
        """The reply, or None for a session key that no session can have."""
        found = split(session_key)
        return found and connection().execute_command(f"APP.SESSION.{name}", *found, *arguments)

    def exists(self, session_key):
        return self._call("GET", session_key) is not None

    def load(self):
        document = self._call("GET", self.session_key)
        if document is None:
            self._session_key = None  # never one that somebody else has chosen
            return {}
        return self.serializer().loads(document)

    def create(self):
        self._session_key = self._get_new_session_key()
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create=False):
        if self.session_key is None:
            return self.create()
        document = self.serializer().dumps(self._get_session(no_load=must_create))
        seconds = min(int(self.get_expiry_age()), MOST_SECONDS)
        if seconds <= 0:
            return self.delete()
        if must_create:
            key, sid = split(self.session_key)
            connection().execute_command(
                "APP.SESSION.CREATE", key, "EX", seconds, "ID", sid, "DATA", document
            )
            return None
        # Neither brings back a session that has ended; the second is for an expiry that was changed.
        if self._call("UPDATE", self.session_key, document, "REPLACE") is None:
            raise UpdateError
        self._call("TOUCH", self.session_key, "EX", seconds)
        return None

    def delete(self, session_key=None):
        self._call("REVOKE", session_key or self.session_key)

    def cycle_key(self):
        """A new key for the same session: of a user, it is one in the list of devices still."""
        if not (self.session_key or "").startswith("u"):
            return super().cycle_key()
        data = self._session
        rotated = self._call("ROTATE", self.session_key, "GRACE", GRACE_MS)
        if rotated is None:
            raise UpdateError
        self._session_key = f"{self.session_key.partition('.')[0]}.{rotated.decode()}"
        self._session_cache = data
        self.modified = True
        return None

    def move_to_user(self, user_pk):
        """The session becomes one of this user, under a new key; the visitor's ends."""
        if (self.session_key or "").startswith(f"u{user_pk}."):
            return
        data = self._session
        before = self.session_key
        self._session_key = f"u{user_pk}.{secret()}"
        self._session_cache = data
        self.save(must_create=True)
        self.modified = True
        if before:
            self.delete(before)

    @classmethod
    def clear_expired(cls):
        """Nothing to do: the server lets them go."""
