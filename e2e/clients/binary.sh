# Sourced: sets GREGOR to the binary under test, building it unless the caller names one or a running broker.
if [ -z "${GREGOR:-}" ] && [ -z "${BROKER:-}" ]; then
  cargo build -q --release -p broker --bin gregor
  GREGOR=$(cargo metadata --format-version 1 --no-deps |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/release/gregor
fi
export GREGOR=${GREGOR:-}
