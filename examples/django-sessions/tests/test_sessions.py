"""What this engine promises beyond what every engine has to do."""

import time

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.test import Client, TestCase

from appkit_sessions.backend import SessionStore, connection, devices, log_out_everywhere


class SessionTests(TestCase):
    def setUp(self):
        # Users of another test must not be met: the numbers start again with each rollback.
        for key in connection().scan_iter(f"{settings.SESSION_REDIS_PREFIX}*"):
            connection().delete(key)
        self.alice = User.objects.create_user("alice", password="secret")
        self.bob = User.objects.create_user("bob", password="secret")

    def session_key(self, client):
        return client.cookies[settings.SESSION_COOKIE_NAME].value

    def logged_in(self, name):
        client = Client()
        client.get(f"/login/{name}")
        self.assertEqual(client.get("/").json()["user"], name)
        return client

    def test_log_in_moves_the_visitors_session_to_the_users_key(self):
        client = Client()
        client.get("/put/red")
        visitor = self.session_key(client)
        self.assertEqual(visitor[0], "v")
        client.get("/login/alice")
        self.assertTrue(self.session_key(client).startswith(f"u{self.alice.pk}."))
        self.assertEqual(client.get("/").json(), {"user": "alice", "color": "red"})
        self.assertFalse(SessionStore().exists(visitor))
        self.assertEqual(len(list(connection().scan_iter(f"{settings.SESSION_REDIS_PREFIX}*"))), 1)

    def test_log_in_as_somebody_else_takes_nothing_along(self):
        client = self.logged_in("alice")
        client.get("/put/red")
        client.get("/login/bob")
        self.assertEqual(client.get("/").json(), {"user": "bob", "color": None})
        self.assertEqual(devices(self.alice.pk), [])

    def test_logging_out_everywhere_else_keeps_this_device(self):
        phone, laptop, bobs = self.logged_in("alice"), self.logged_in("alice"), self.logged_in("bob")
        self.assertEqual(len(devices(self.alice.pk)), 2)
        self.assertEqual(phone.get("/everywhere-else").json(), {"ended": 1})
        self.assertEqual(laptop.get("/").json()["user"], "")
        self.assertEqual(phone.get("/").json()["user"], "alice")
        self.assertEqual(log_out_everywhere(self.alice.pk), 1)
        self.assertEqual(phone.get("/").json()["user"], "")
        self.assertEqual(bobs.get("/").json()["user"], "bob")

    def test_log_out_ends_this_session_alone(self):
        phone, laptop = self.logged_in("alice"), self.logged_in("alice")
        old = self.session_key(phone)
        phone.get("/logout")
        self.assertFalse(SessionStore().exists(old))
        self.assertEqual(laptop.get("/").json()["user"], "alice")

    def test_a_changed_password_rotates_the_key_of_the_same_session(self):
        client = self.logged_in("alice")
        before = devices(self.alice.pk)
        old = self.session_key(client)
        client.get("/password")
        self.assertNotEqual(self.session_key(client), old)
        self.assertEqual(client.get("/").json()["user"], "alice")
        after = devices(self.alice.pk, self.session_key(client))
        self.assertEqual([d["created_at"] for d in after], [d["created_at"] for d in before])
        self.assertEqual([d["current"] for d in after], [1])

    def test_a_slow_request_does_not_revive_a_session(self):
        client = self.logged_in("alice")
        slow = SessionStore(self.session_key(client))
        slow["color"] = "red"
        log_out_everywhere(self.alice.pk)
        with self.assertRaises(UpdateError):
            slow.save()
        self.assertFalse(SessionStore().exists(self.session_key(client)))

    def test_a_changed_expiry_is_the_sessions_new_lifetime(self):
        session = SessionStore()
        session["color"] = "red"
        session.save()
        session.set_expiry(1)
        session.save()
        self.assertEqual(SessionStore(session.session_key).get("color"), "red")
        time.sleep(1.1)
        self.assertIsNone(SessionStore(session.session_key).get("color"))

    def test_a_key_that_was_made_up_is_no_session(self):
        for made_up in ("", "u1", "u1." + "a" * 31, "x1." + "a" * 32, f"u1\n.{'a' * 32}", "u1." + "é" * 32):
            with self.subTest(made_up):
                session = SessionStore(made_up)
                self.assertEqual(session.load(), {})
                self.assertIsNone(session.session_key)
