# Sourced by e2e/parts/clients and e2e/parts/disk: installs what their suites need and names where it lies.
# Everything is cached outside the checkout and made once: Apache Kafka's jars (e2e/kafka), kcat (Debian),
# confluent-kafka (PyPI) in a virtual environment, and our Java programs, compiled against the jars.
#
# Sets KAFKA_HOME (with libs/), PYTHON (the interpreter of the environment), JAVA_CLASSES.

CONFLUENT_KAFKA_VERSION=2.16.1
export GREGOR_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/gregor"
mkdir -p "$GREGOR_CACHE"

# Installs Debian packages, but only those whose program is missing.
need() {
  local program package missing=()
  for pair in "$@"; do
    program=${pair%%:*} package=${pair##*:}
    command -v "$program" > /dev/null || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  local sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

# Apache Kafka with its server and tools.
fetch_kafka() {
  local libs
  libs=$(e2e/kafka libs)
  export KAFKA_HOME=${libs%/libs}
}

# A virtual environment that holds the Python client.
fetch_python() {
  local venv="$GREGOR_CACHE/python-confluent-kafka-$CONFLUENT_KAFKA_VERSION"
  export PYTHON="$venv/bin/python"
  "$PYTHON" -c 'import confluent_kafka' 2> /dev/null && return
  python3 -m venv --clear "$venv"
  "$PYTHON" -m pip install -q "confluent-kafka==$CONFLUENT_KAFKA_VERSION"
}

# Our Java programs; the folder's name is the hash of their sources.
compile_java() {
  local sources="$1" hash
  hash=$(cat "$sources"/*.java | sha256sum | cut -c1-16)
  export JAVA_CLASSES="$GREGOR_CACHE/java-$hash"
  [ -e "$JAVA_CLASSES/.done" ] && return
  javac -nowarn -d "$JAVA_CLASSES" -cp "$KAFKA_HOME/libs/*" "$sources"/*.java
  touch "$JAVA_CLASSES/.done"
}

setup_clients() {
  exec 8> "$GREGOR_CACHE/.clients.lock"
  flock 8
  need java:openjdk-17-jdk-headless javac:openjdk-17-jdk-headless mvn:maven kcat:kcat curl:curl python3:python3
  python3 -c 'import venv, ensurepip' 2> /dev/null || need no-such-program:python3-venv
  fetch_kafka
  fetch_python
  compile_java "$1"
  exec 8>&-
}
