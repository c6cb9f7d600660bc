# Sourced: sets GREGOR to the binary under test, building it unless the caller names one or a running broker.
if [ -z "${GREGOR:-}" ] && [ -z "${BROKER:-}" ]; then
  . e2e/binaries.sh
  static_build gregor
fi
export GREGOR=${GREGOR:-}
