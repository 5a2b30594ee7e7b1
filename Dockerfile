# The base must be Debian's, not Alpine's: the module is linked against glibc and does not load there.
#
#   docker build -t redis-appkit .
#   docker run --rm -p 127.0.0.1:6379:6379 redis-appkit [--requirepass secret …]
#
# Any official image made of Debian will do whose release is not older than RUST_IMAGE's:
#   docker build --build-arg SERVER_IMAGE=redis:7.0-bookworm -t redis-appkit .
#   docker build --build-arg SERVER_IMAGE=valkey/valkey:8.1-bookworm --build-arg SERVER=valkey -t redis-appkit .
ARG RUST_IMAGE=rust:1-bookworm
ARG SERVER_IMAGE=redis:8.0-bookworm

FROM ${RUST_IMAGE} AS build
# bindgen reads the header of the module API with libclang.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libclang-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM ${SERVER_IMAGE}
# redis or valkey: what the image calls its user and its programs.
ARG SERVER=redis
COPY --from=build /src/target/release/libredis_appkit.so /usr/local/lib/libredis_appkit.so
COPY redis.conf /etc/appkit.conf
RUN ln -s "$(command -v ${SERVER}-server)" /usr/local/bin/appkit-server \
    && ln -s "$(command -v ${SERVER}-cli)" /usr/local/bin/appkit-cli \
    && mkdir -p /data && chown ${SERVER} /data
VOLUME /data
WORKDIR /data
USER ${SERVER}
EXPOSE 6379
# PONG, or NOAUTH where a password is set; a server that is still loading its data says neither.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD appkit-cli ping 2>&1 | grep -qE 'PONG|NOAUTH'
# Reached through the container's network alone, so what is published (-p) decides who may connect;
# set a password before publishing to more than this machine.
ENTRYPOINT ["appkit-server", "/etc/appkit.conf", "--dir", "/data", "--bind", "*", "-::*", "--protected-mode", "no", "--loadmodule", "/usr/local/lib/libredis_appkit.so"]
