"""Django's own tests of what every session engine has to do."""

import string
import unittest

from django.conf import settings
from django.test import SimpleTestCase

from appkit_sessions.backend import SessionStore

if settings.HAVE_FRAMEWORK_TESTS:
    from sessions_tests import tests as framework

    class FrameworkTests(framework.SessionTestsMixin, SimpleTestCase):
        backend = SessionStore

        def test_load_overlong_key(self):
            self.session._session_key = (string.ascii_letters + string.digits) * 20
            self.assertEqual(self.session.load(), {})

else:

    class FrameworkTests(unittest.TestCase):
        @unittest.skip("Django's own session tests are not there: see fetch_framework_tests.py")
        def test_framework(self):
            """Run by fetch_framework_tests.py's download."""
