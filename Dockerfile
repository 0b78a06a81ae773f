# syntax=docker/dockerfile:1

# Both stages are Debian 13, so that the binary finds the C library it was linked against.
FROM rust:1.95.0-slim-trixie AS build
ARG TARGETARCH
WORKDIR /src
# A `docker run` without a volume gets this folder, empty and owned by the service.
RUN install -d -m 0700 /out/data
# The image has gcc, and nothing else is needed: aws-lc, SQLite and mimalloc are compiled with it alone.
# rust-toolchain.toml stays out, as it would make rustup fetch the linters.
COPY . .
# Crates and compiled dependencies stay in the cache mounts: a change in src/ compiles only this crate. The touch makes
# sure that it does, also when the sources are older than what was built last.
RUN --mount=type=cache,id=artifactd-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=artifactd-target-${TARGETARCH},target=/src/target,sharing=locked \
    touch src/lib.rs src/main.rs \
    && cargo build --release --locked --bin artifactd \
    && install -m 0755 target/release/artifactd /out/artifactd

# glibc, libgcc, CA certificates (for S3 and JWKS over TLS) and time zones; no shell, no package manager.
FROM gcr.io/distroless/cc-debian13:nonroot
LABEL org.opencontainers.image.title="artifactd" \
      org.opencontainers.image.description="A standalone HTTP service that stores files for AI apps, MCP servers, front ends and back ends" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /out/artifactd /usr/local/bin/artifactd
COPY --from=build --chown=65532:65532 /out/data /data
ENV ARTIFACTD_BIND=0.0.0.0:8080 \
    ARTIFACTD_DATA_DIR=/data
USER 65532:65532
VOLUME ["/data"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/artifactd", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/artifactd"]
CMD ["serve"]
