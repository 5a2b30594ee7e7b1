#!/usr/bin/env bash
# Builds the module and starts a Redis server with it in the foreground, on PORT (6379 by default).
# APPKIT_SERVER names another server than redis-server. The data of each port is in data/<port>/.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

port=${PORT:-6379}
server=${APPKIT_SERVER:-redis-server}

if [[ ! $port =~ ^[0-9]{1,5}$ ]] || ((10#$port < 1 || 10#$port > 65535)); then
    echo "serve: PORT is $port; it must be a number from 1 to 65535" >&2
    exit 1
fi
if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    if ((port == 6390)); then other=6391; else other=6390; fi
    echo "serve: port $port is in use; try: PORT=$other cargo make serve" >&2
    exit 1
fi

cargo build --release --locked
module=$(target_dir)/release/libredis_appkit.so
mkdir -p "data/$port"
cat <<END

Starting $("$server" --version | sed -nE 's/^(\S+).* v=([0-9.]+).*/\1 \2/p') with redis-appkit on 127.0.0.1:$port. Talk to it from another terminal:

    redis-cli -p $port APP.RATELIMIT user:42 10 EX 60

Ctrl-C stops it; the data stays in data/$port/.

END
exec "$server" "$PWD/redis.conf" --port "$port" --dir "$PWD/data/$port" --loadmodule "$module"
