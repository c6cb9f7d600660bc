# Sourced by e2e/parts/clients and e2e/parts/disk: installs what their suites need and names where it lies.
# Everything is cached outside the checkout and made once: Apache Kafka's jars (e2e/kafka), kcat (Debian),
# confluent-kafka and aiokafka (PyPI) in a virtual environment, our Java programs, compiled against the jars, and
# for the clients part our programs of franz-go, with its own tests (Go modules), and of kafkajs (npm).
#
# Sets KAFKA_HOME (with libs/), PYTHON (the interpreter of the environment), JAVA_CLASSES, GO_PROGRAMS, JS_PROGRAMS.

CONFLUENT_KAFKA_VERSION=2.16.1
AIOKAFKA_VERSION=0.14.0
GO_TOOLCHAIN=1.25.4
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

# A virtual environment that holds the Python clients; cramjam has the codecs of aiokafka.
fetch_python() {
  local venv="$GREGOR_CACHE/python-confluent-kafka-$CONFLUENT_KAFKA_VERSION-aiokafka-$AIOKAFKA_VERSION"
  export PYTHON="$venv/bin/python"
  "$PYTHON" -c 'import confluent_kafka, aiokafka, cramjam' 2> /dev/null && return
  python3 -m venv --clear "$venv"
  "$PYTHON" -m pip install -q "confluent-kafka==$CONFLUENT_KAFKA_VERSION" "aiokafka[lz4]==$AIOKAFKA_VERSION"
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

# A Go that can build the programs. From 1.21 on, an older one fetches the toolchain that go.mod asks for by
# itself; to still older ones, such as Debian 12's, the toolchain is a module like any other.
fetch_go() {
  need go:golang-go
  export GOTOOLCHAIN=auto GOFLAGS=-buildvcs=false
  case $(go env GOVERSION) in
    go1.1? | go1.1?.* | go1.20 | go1.20.*)
      local toolchain
      toolchain="golang.org/toolchain@v0.0.1-go$GO_TOOLCHAIN.linux-$(go env GOARCH)"
      go mod download "$toolchain"
      toolchain="$(go env GOMODCACHE)/$toolchain"
      # Modules hold no executable files.
      chmod -R u+w "$toolchain"
      chmod +x "$toolchain"/bin/* "$toolchain"/pkg/tool/*/*
      export PATH="$toolchain/bin:$PATH"
      ;;
  esac
}

# Our program of franz-go, and the tests of its package kgo as a program; the folder's name is a hash of both.
compile_go() {
  local sources="$1" hash
  hash=$(cat "$sources"/go.* "$sources"/*/*.go | sha256sum | cut -c1-16)
  export GO_PROGRAMS="$GREGOR_CACHE/go-$hash"
  [ -e "$GO_PROGRAMS/.done" ] && return
  fetch_go
  mkdir -p "$GO_PROGRAMS"
  (cd "$sources" && go build -p 1 -o "$GO_PROGRAMS/client" ./client &&
    go test -p 1 -c -o "$GO_PROGRAMS/kgo.test" github.com/twmb/franz-go/pkg/kgo)
  touch "$GO_PROGRAMS/.done"
}

# Our program of kafkajs beside its packages.
install_js() {
  local sources="$1" hash
  hash=$(cat "$sources"/*.js "$sources"/*.json "$sources/.npmrc" | sha256sum | cut -c1-16)
  export JS_PROGRAMS="$GREGOR_CACHE/js-$hash"
  [ -e "$JS_PROGRAMS/.done" ] && return
  need node:nodejs npm:npm
  rm -rf "$JS_PROGRAMS"
  mkdir -p "$JS_PROGRAMS"
  cp "$sources"/*.js "$sources"/*.json "$sources/.npmrc" "$JS_PROGRAMS"
  (cd "$JS_PROGRAMS" && npm ci --silent > /dev/null)
  touch "$JS_PROGRAMS/.done"
}

# What only the clients part needs, after setup_clients.
setup_programs() {
  exec 8> "$GREGOR_CACHE/.clients.lock"
  flock 8
  need node:nodejs setpriv:util-linux
  compile_go "$1/go"
  install_js "$1/js"
  exec 8>&-
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
