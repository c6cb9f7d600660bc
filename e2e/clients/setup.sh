# Sourced by e2e/parts/clients and e2e/parts/disk: installs what their suites need and names where it lies.
# Everything is cached outside the checkout and made once: Apache Kafka's jars (Maven), kcat (Debian),
# confluent-kafka (PyPI) in a virtual environment, and our Java programs, compiled against the jars.
#
# Sets KAFKA_HOME (with libs/), PYTHON (the interpreter of the environment), JAVA_CLASSES.

KAFKA_VERSION=4.3.1
CONFLUENT_KAFKA_VERSION=2.16.1
export GREGOR_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/gregor"
export KAFKA_HOME="$GREGOR_CACHE/kafka-$KAFKA_VERSION"
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

# Apache Kafka with its server and tools, from its published artifacts.
fetch_kafka() {
  [ -e "$KAFKA_HOME/libs/kafka_2.13-$KAFKA_VERSION.jar" ] && return
  mkdir -p "$KAFKA_HOME"
  { echo '<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies>'
    for artifact in org.apache.kafka:kafka_2.13:$KAFKA_VERSION org.apache.kafka:kafka-tools:$KAFKA_VERSION \
        org.slf4j:slf4j-simple:1.7.36; do
      IFS=: read -r group name version <<< "$artifact"
      echo "<dependency><groupId>$group</groupId><artifactId>$name</artifactId><version>$version</version></dependency>"
    done
    echo '</dependencies></project>'; } > "$KAFKA_HOME/clients-pom.xml"
  rm -rf "$KAFKA_HOME/libs.part"
  mvn -q -B -f "$KAFKA_HOME/clients-pom.xml" dependency:copy-dependencies -DoutputDirectory="$KAFKA_HOME/libs.part"
  mkdir -p "$KAFKA_HOME/libs"
  mv -n "$KAFKA_HOME"/libs.part/* "$KAFKA_HOME/libs/"
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
  need java:openjdk-17-jdk-headless javac:openjdk-17-jdk-headless mvn:maven kcat:kcat python3:python3
  python3 -c 'import venv, ensurepip' 2> /dev/null || need no-such-program:python3-venv
  fetch_kafka
  fetch_python
  compile_java "$1"
  exec 8>&-
}
