"""INSTALLED_APPS = ["appkit_sessions", …]: a log-in moves the session to the user's key."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


def move_session(sender, request, user, **kwargs):
    if hasattr(request.session, "move_to_user"):
        request.session.move_to_user(user.pk)


class AppkitSessions(AppConfig):
    name = "appkit_sessions"

    def ready(self):
        user_logged_in.connect(move_session, dispatch_uid="appkit_sessions")
