#!/usr/bin/env python3
"""Evaluates every query of the Grafana dashboard in a real Prometheus.

A server with the module gets known traffic, redis_exporter reads it as docs/operations.md says, Prometheus
scrapes the exporter, and each query of docs/operations/grafana.json is asked over Prometheus' HTTP API. Each
must give what the server's own INFO says.

    APPKIT_MODULE=path      this module instead of target/release/libredis_appkit.so
    APPKIT_SERVER=path      another server than redis-server

Needs prometheus and redis_exporter (Debian: prometheus, prometheus-redis-exporter). Where one is missing it
says SKIPPED and ends well.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 60
INTERVAL = "5s"  # what $__rate_interval stands for, shorter than the traffic

# Counters that this traffic does not move: nobody's connection is cut while it is handed a lock.
STILL = {"lock_passed_on"}

ALONE = """
DEL limit user page filled
APP.RATELIMIT limit 3 EX 60
APP.RATELIMIT limit 3 EX 60
APP.RATELIMIT limit 3 EX 60
APP.RATELIMIT limit 3 EX 60
APP.RATELIMIT.PEEK limit 3 EX 60
APP.RATELIMIT.REFUND limit 3 EX 60
APP.SESSION.CREATE user EX 60 ID 0123456789abcdef
APP.SESSION.CREATE user EX 60 LIMIT 1 REJECT
APP.SESSION.TOUCH user 0123456789abcdef EX 120
APP.SESSION.UPDATE user 0123456789abcdef '{"a":1}'
APP.SESSION.ROTATE user 0123456789abcdef
APP.SESSION.REVOKEALL user
SET page value PX 60000
APP.CACHE.GETORLOAD page LEASE 60000
APP.CACHE.GETORLOAD page LEASE 60000 EARLY 120000
APP.CACHE.FILL page wrong value EX 60
""".strip().splitlines()


class Client:
    """A connection that speaks just enough of the protocol."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.lines = self.socket.makefile("rb")

    def send(self, command):
        self.socket.sendall(command.encode() + b"\r\n")

    def read(self):
        kind, rest = (line := self.lines.readline().decode().strip())[:1], line[1:]
        if kind == "-":
            sys.exit(f"test-dashboard: {rest}")
        if kind == "$":
            return None if rest == "-1" else self.lines.read(int(rest) + 2)[:-2].decode()
        if kind == "*":
            return [self.read() for _ in range(int(rest))]
        return int(rest) if kind == ":" else rest

    def __call__(self, command):
        self.send(command)
        return self.read()

    def info(self, section):
        return dict(line.split(":", 1) for line in self(f"INFO {section}").split("\r\n") if ":" in line)

    def counters(self):
        return {name.removeprefix("appkit_"): int(count) for name, count in self.info("appkit").items()}


def traffic(one, two):
    """One round: every counter grows, those of waiting calls too."""
    for command in ALONE:
        one(command)

    def until_waiting(family):
        while not one.counters()[f"{family}_waiting"]:
            time.sleep(0.001)

    one("APP.LOCK gate first EX 60")
    two("APP.LOCK gate second EX 60")
    two("APP.LOCK gate second EX 60 WAIT 1")
    one("APP.LOCK.EXTEND gate first EX 60")
    two.send("APP.LOCK gate second EX 60 WAIT 60000")
    until_waiting("lock")
    one("APP.UNLOCK gate first")
    two.read()
    two("APP.UNLOCK gate second")

    lease = one("APP.CACHE.GETORLOAD filled LEASE 60000")[2]
    two("APP.CACHE.GETORLOAD filled LEASE 60000")
    two.send("APP.CACHE.GETORLOAD filled LEASE 60000 WAIT 60000")
    until_waiting("cache")
    one(f"APP.CACHE.RELEASE filled {lease}")
    one(f"APP.CACHE.FILL filled {two.read()[2]} value EX 60")
    time.sleep(0.1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(folder, processes, name, *command):
    log = open(Path(folder) / f"{name}.log", "wb")
    processes.append(subprocess.Popen([str(each) for each in command], stdout=log, stderr=log))


def patiently(folder, what, attempt):
    """The first result of `attempt` that is something."""
    for _ in range(300):
        try:
            if result := attempt():
                return result
        except OSError:
            pass
        time.sleep(0.1)
    for log in Path(folder).glob("*.log"):
        print(f"--- {log.name}\n{log.read_text()[-1500:]}", file=sys.stderr)
    sys.exit(f"test-dashboard: no sign of {what}")


def ask(port, path, **parameters):
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)["data"]


def expected(expression, counters):
    """What INFO says that a query gives: a gauge's value, a share, or a count to be held against others."""
    keys = re.findall(r'key="(\w+)"', expression)
    if "/" in expression:
        return counters[keys[0]] / sum(counters[key] for key in set(keys))
    return counters[keys[0]]


def check(panel, target, answer, rate_of_one, counters, times):
    """The text of what is wrong, or nothing."""
    values = {each["metric"].get("cmd"): float(each["value"][1]) for each in answer}
    if not values:
        return "no data"
    if "by (cmd)" in target["expr"]:
        missing = times.keys() - values.keys()
        wrong = [cmd for cmd in times.keys() & values.keys() if not times[cmd] / 3 < values[cmd] < times[cmd] * 3]
        return f"missing {missing}, wrong {wrong}" if missing or wrong else None
    value, wanted = values[None], expected(target["expr"], counters)
    if "rate(" in target["expr"] and "/" not in target["expr"]:
        key = target["legendFormat"]
        if (value > 0) == (key in STILL):
            return f"{value} a second"
        wanted *= rate_of_one
    exact = "rate(" not in target["expr"]
    if abs(value - wanted) > (0 if exact else 0.25 * wanted):
        return f"{value}, but INFO says {wanted}"
    return None


def run(folder, processes, prometheus, exporter):
    module = os.environ.get("APPKIT_MODULE", ROOT / "target/release/libredis_appkit.so")
    server, exported, asked = free_port(), free_port(), free_port()
    started(folder, processes, "server", os.environ.get("APPKIT_SERVER", "redis-server"), "--port", server,
            "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--loadmodule", module)
    started(folder, processes, "exporter", exporter, "-redis.addr", f"redis://127.0.0.1:{server}",
            "-script", ROOT / "docs/operations/redis_exporter.lua", "-web.listen-address", f"127.0.0.1:{exported}")
    config = Path(folder) / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\n"
        f"scrape_configs: [{{job_name: redis, static_configs: [{{targets: ['127.0.0.1:{exported}']}}]}}]\n")
    started(folder, processes, "prometheus", prometheus, f"--config.file={config}",
            f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address=127.0.0.1:{asked}")

    one, two = (patiently(folder, "the server", lambda: Client(server)) for _ in range(2))
    patiently(folder, "a scrape", lambda: ask(asked, "query", query="redis_script_values")["result"])
    for _ in range(ROUNDS):
        traffic(one, two)

    # The rates are taken now; then somebody stands in each line, for what goes up and down.
    dashboard = json.loads((ROOT / "docs/operations/grafana.json").read_text())
    instances = ask(asked, "label/instance/values", **{"match[]": "redis_script_values"})
    fill_in = {"$instance": "|".join(map(re.escape, instances)).replace("\\", "\\\\"), "$__rate_interval": INTERVAL}

    def evaluate(expression):
        for name, value in fill_in.items():
            expression = expression.replace(name, value)
        return ask(asked, "query", query=expression)["result"]

    targets = [(panel, target) for panel in dashboard["panels"] for target in panel["targets"]]
    rates = {target["expr"]: evaluate(target["expr"]) for _, target in targets if "rate(" in target["expr"]}
    counters = one.counters()
    one("APP.LOCK gate first EX 60")
    one("APP.CACHE.GETORLOAD gone LEASE 60000")
    for waiting in "APP.LOCK gate second EX 60 WAIT 60000", "APP.CACHE.GETORLOAD gone LEASE 60000 WAIT 60000":
        client = Client(server)
        client.send(waiting)
        processes.append(client)
    time.sleep(2)
    counters |= {key: count for key, count in one.counters().items() if key.endswith(("waiting", "leases"))}
    assert all(counters[key] for key in ("lock_waiting", "cache_waiting", "cache_leases")), counters
    statistics = one.info("commandstats")
    times = {name.removeprefix("cmdstat_"): float(re.search(r"usec_per_call=([\d.]+)", text)[1]) / 1e6
             for name, text in statistics.items() if name.startswith("cmdstat_app")}

    refused = next(target["expr"] for _, target in targets if target["legendFormat"] == "ratelimit_refused")
    rate_of_one = float(rates[refused][0]["value"][1]) / counters["ratelimit_refused"]
    failed = 0
    for panel, target in targets:
        answer = rates.get(target["expr"]) or evaluate(target["expr"])
        wrong = check(panel, target, answer, rate_of_one, counters, times)
        shown = ", ".join(f"{float(each['value'][1]):.4g}" for each in answer)
        print(f"{'FAILED' if wrong else 'ok':6}  {panel['title']}: {target['legendFormat']} = {wrong or shown}")
        failed += bool(wrong)
    print(f"\ndashboard: {len(targets)} queries, {failed} failed")
    return failed


def main():
    prometheus = shutil.which("prometheus")
    exporter = shutil.which("redis_exporter") or shutil.which("prometheus-redis-exporter")
    if not prometheus or not exporter:
        missing = "prometheus" if not prometheus else "redis_exporter"
        print(f"dashboard: SKIPPED, {missing} is not installed")
        return
    processes = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            failed = run(folder, processes, prometheus, exporter)
        finally:
            for process in processes:
                if isinstance(process, subprocess.Popen):
                    process.terminate()
                    process.wait()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
