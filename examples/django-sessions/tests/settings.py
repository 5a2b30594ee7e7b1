import os
import pathlib
import sys
import uuid

FRAMEWORK_TESTS = pathlib.Path(__file__).parent.parent / ".framework"
HAVE_FRAMEWORK_TESTS = (FRAMEWORK_TESTS / "sessions_tests").exists()

SECRET_KEY = "test"
USE_TZ = True
ROOT_URLCONF = "tests.urls"
SESSION_ENGINE = "appkit_sessions.backend"
SESSION_REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")
SESSION_REDIS_PREFIX = f"test:{uuid.uuid4()}:"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "appkit_sessions",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
if HAVE_FRAMEWORK_TESTS:
    sys.path.insert(0, str(FRAMEWORK_TESTS))
    INSTALLED_APPS.append("sessions_tests")
