# Sourced: sets BINARIES to a folder with gregor and gregor-operator as the image has them: static and stripped.
# Static needs a named target, or macros that run in the compiler would be built static too.
target=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="-C target-feature=+crt-static" cargo build --quiet --locked --release --target "$target" \
    --bin gregor --bin gregor-operator
built=$(cargo metadata --format-version 1 --no-deps |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/$target/release
export BINARIES=$built/image
mkdir -p "$BINARIES"
for program in gregor gregor-operator; do
    strip -o "$BINARIES/$program" "$built/$program"
done
