# Sourced: static_build PROGRAM... builds programs as the image has them, static and stripped, and sets BINARIES to
# their folder and GREGOR to the broker in it. What the caller named already is not built.

static_build() {
    local target program built
    [ -z "${BINARIES:-}" ] || { export GREGOR=${GREGOR:-$BINARIES/gregor}; return 0; }
    # Static needs a named target, or macros that run in the compiler would be built static too.
    target=$(rustc -vV | sed -n 's/^host: //p')
    RUSTFLAGS="-C target-feature=+crt-static" cargo build --quiet --locked --release --target "$target" \
        "${@/#/--bin=}" || return
    built=$(cargo metadata --format-version 1 --no-deps --offline |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/$target/release
    mkdir -p "$built/image"
    for program in "$@"; do
        strip -o "$built/image/$program.new" "$built/$program" && mv "$built/image/$program.new" "$built/image/$program" ||
            return
    done
    export GREGOR=${GREGOR:-$built/image/gregor} BINARIES=$built/image
}
