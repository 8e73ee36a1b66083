# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
# The broker with the plugin (target `broker`) and the bridge (target `bridge`). Both come
# from one build stage, so that they always agree on the protocol between them.
ARG DEBIAN_SUITE=forky

FROM node:22-trixie-slim AS dashboard
WORKDIR /src
COPY bridge/http/openapi bridge/http/openapi
COPY dashboard dashboard
RUN dashboard/build.sh build/dashboard

FROM debian:${DEBIAN_SUITE}-slim AS build
WORKDIR /src
COPY deploy/deps.sh deploy/
RUN deploy/deps.sh build && rm -rf /var/lib/apt/lists/*
COPY Makefile VERSION ./
COPY protocol protocol
COPY plugin plugin
COPY bridge bridge
COPY schema schema
COPY dashboard dashboard
COPY deploy/docker/libraries.sh deploy/docker/
COPY --from=dashboard /src/build/dashboard build/dashboard
# There is no Node here: make is to take the dashboard as it is. An image without it would be a mistake.
RUN touch build/dashboard.node build/dashboard/.built && make -j"$(nproc)" all && test -s build/dashboard/index.html
# The packages of shared libraries have other names in each suite.
RUN deploy/docker/libraries.sh build/release/mosquitto_rollcall.so >broker.packages \
 && deploy/docker/libraries.sh build/release/rollcall-bridge >bridge.packages

FROM debian:${DEBIAN_SUITE}-slim AS base
# A fixed id, so that volumes still belong to it after an upgrade of the image.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin rollcall

FROM base AS broker
COPY --from=build /src/broker.packages /tmp/
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends mosquitto </tmp/broker.packages \
 && rm -rf /var/lib/apt/lists/* /tmp/broker.packages \
 && install -d -o rollcall -g rollcall -m 700 /var/lib/rollcall /secrets \
 && install -d -o rollcall -g rollcall -m 755 /database-secrets
COPY --from=build /src/build/release/mosquitto_rollcall.so /usr/lib/rollcall/
COPY deploy/mosquitto deploy/lib/secrets.sh deploy/docker/broker-*.sh deploy/docker/make-secrets.sh /usr/share/rollcall/
USER rollcall
EXPOSE 1883 9001
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/share/rollcall/broker-health.sh"]
ENTRYPOINT ["/usr/share/rollcall/broker-start.sh"]

FROM base AS bridge
COPY --from=build /src/bridge.packages /tmp/
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends </tmp/bridge.packages \
 && rm -rf /var/lib/apt/lists/* /tmp/bridge.packages
COPY --from=build /src/build/release/rollcall-bridge /usr/bin/
COPY deploy/docker/bridge-health.sh /usr/share/rollcall/
USER rollcall
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/share/rollcall/bridge-health.sh"]
ENTRYPOINT ["/usr/bin/rollcall-bridge"]
