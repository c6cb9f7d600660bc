# The image of Gregor: both programs, static, on nothing else.
#
#   docker build -t gregor .                                        from source
#   docker build -t gregor --build-arg BINARIES=prebuilt .          from dist/gregor and dist/gregor-operator
#
# Older versions of buildah do not look at the default: they want --build-arg BINARIES=source.
# RUST_IMAGE names what compiles: any image with rustup's or Debian's toolchain of rust-toolchain.toml and a C
# compiler. Crates come from a folder vendor/ where .cargo/config.toml names one, else from the network.
ARG RUST_IMAGE=docker.io/library/rust:1.95-slim-bookworm
ARG BINARIES=source

FROM ${RUST_IMAGE} AS source
WORKDIR /source
COPY . .
# Static needs the target to be named, or macros that run in the compiler would be built static too.
RUN target=$(rustc -vV | sed -n 's/^host: //p') \
    && RUSTFLAGS="-C target-feature=+crt-static -C strip=symbols" \
       cargo build --release --locked --target "$target" --bin gregor --bin gregor-operator \
    && mkdir /binaries \
    && cp "target/$target/release/gregor" "target/$target/release/gregor-operator" /binaries/

FROM scratch AS prebuilt
COPY dist/gregor dist/gregor-operator /binaries/

FROM ${BINARIES} AS binaries

FROM scratch
COPY --from=binaries /binaries/gregor /binaries/gregor-operator /usr/bin/
USER 10001:10001
ENV PATH=/usr/bin
# Clients, other brokers, HTTP.
EXPOSE 9092 9191 9090
ENTRYPOINT ["/usr/bin/gregor"]
