#!/usr/bin/env bash
# `kill -9` at many moments: 50 kills while 500 films arrive, are read and their results sent: one node on SQLite, or, with the URL of an
# empty PostgreSQL database, two nodes on it in turn.
# Usage: bench/kill.sh [postgres://…]. It is the test of the command line with larger numbers.
set -euo pipefail
cd "$(dirname "$0")/.."
export COXA_KILL_FILMS=${COXA_KILL_FILMS:-500} COXA_KILLS=${COXA_KILLS:-50}
[ $# -gt 0 ] && export COXA_KILL_DATABASE=$1
cargo test --release -p coxa-cli --test main serving::whatever_is_killed
