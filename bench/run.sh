#!/usr/bin/env bash
# One command: virtual environment, release build, and the table of ratios.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${COXA_BENCH_VENV:-bench/.venv}
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r bench/requirements.txt
fi
cargo build --release --locked
exec "$venv/bin/python" bench/peers.py --coxa "${CARGO_TARGET_DIR:-target}/release/coxa" "$@"
