# The base must be Debian's, not Alpine's: the module is linked against glibc and does not load there.
#
#   docker build -t redis-appkit .
#   docker run --rm -p 127.0.0.1:6379:6379 redis-appkit
#
# Another server, of the official images that are made of Debian:
#   docker build --build-arg SERVER_IMAGE=redis:7.0-bookworm -t redis-appkit .
#   docker build --build-arg SERVER_IMAGE=valkey/valkey:8.1-bookworm -t redis-appkit .
# Its release of Debian must not be older than the one that the module is built on.
ARG SERVER_IMAGE=redis:8.0-bookworm
ARG RUST_IMAGE=rust:1-bookworm

FROM ${RUST_IMAGE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libclang-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM ${SERVER_IMAGE}
COPY --from=build /src/target/release/libredis_appkit.so /usr/local/lib/libredis_appkit.so
COPY redis.conf /etc/redis-appkit.conf
# The user that the official images make, redis or valkey, owns the data.
RUN user=$(id -un redis 2>/dev/null || id -un valkey) \
    && mkdir -p /data && chown "$user" /data
VOLUME /data
WORKDIR /data
EXPOSE 6379
# Says PONG, or NOAUTH where a password is set; while data is loading it says neither.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD (redis-cli ping || valkey-cli ping) 2>&1 | grep -qE 'PONG|NOAUTH'
