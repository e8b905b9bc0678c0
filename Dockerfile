# Sluice as an image of one program: the executable, the pieces of glibc that it is linked to, and nothing else, no shell either.
#
#   docker build -t sluice .
#   docker run -p 8883:8883 -v ./sluice:/etc/sluice:ro sluice        (with sluice.yml in it; relative paths start there)

FROM node:22-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
COPY scripts scripts
RUN npm_config_omit=dev sh scripts/install
COPY tsconfig.json ./
COPY bin bin
COPY src src
RUN npm run build:binary
COPY LICENSE ./

# The file system of the image. libgcc_s is linked to by nothing: glibc loads it when a thread is cancelled, and aborts without it.
# /var/lib/sluice is for a volume with what Sluice writes itself: a development certificate, the storage of an ACME resolver.
RUN set -eu; \
    mkdir -p /image/usr/bin /image/etc/sluice /image/var/lib/sluice /image/licenses; \
    cp dist/sluice /image/usr/bin/sluice; \
    libraries=$(ldd dist/sluice | grep -o '/[^ ]*'); \
    libc=$(echo "$libraries" | grep '/libc\.so'); \
    for file in $libraries "${libc%/*}/libgcc_s.so.1"; do cp -L --parents "$file" /image; done; \
    echo 'sluice:x:65532:65532:Sluice:/var/lib/sluice:/sbin/nologin' >/image/etc/passwd; \
    echo 'sluice:x:65532:' >/image/etc/group; \
    echo 'hosts: files dns' >/image/etc/nsswitch.conf; \
    cp LICENSE /image/licenses/; \
    chown 65532:65532 /image/var/lib/sluice; \
    chmod 0700 /image/var/lib/sluice

FROM scratch
LABEL org.opencontainers.image.title="Sluice" \
      org.opencontainers.image.description="The TLS edge for MQTT: terminates, passes through or re-encrypts by SNI, in front of brokers that speak plain MQTT" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
WORKDIR /etc/sluice
# For the health check; in a static file, ping: {} does the same.
ENV SLUICE_PING=true
USER 65532:65532
EXPOSE 8883
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s --retries=3 CMD ["/usr/bin/sluice", "healthcheck"]
ENTRYPOINT ["/usr/bin/sluice"]
CMD ["run"]
