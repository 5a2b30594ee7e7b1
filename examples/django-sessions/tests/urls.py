from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.http import JsonResponse
from django.urls import path

from appkit_sessions import backend


def show(request):
    return JsonResponse({"user": request.user.username, "color": request.session.get("color")})


def put(request, color):
    request.session["color"] = color
    return show(request)


def log_in(request, name):
    login(request, authenticate(request, username=name, password="secret"))
    return show(request)


def log_out(request):
    logout(request)
    return show(request)


def everywhere_else(request):
    return JsonResponse({"ended": backend.log_out_everywhere(request.user.pk, request.session.session_key)})


def password(request):
    request.user.set_password("secret")
    request.user.save()
    update_session_auth_hash(request, request.user)
    return show(request)


urlpatterns = [
    path("", show),
    path("put/<color>", put),
    path("login/<name>", log_in),
    path("logout", log_out),
    path("everywhere-else", everywhere_else),
    path("password", password),
]
