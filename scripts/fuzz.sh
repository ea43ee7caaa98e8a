#!/usr/bin/env bash
# Fuzzes one target with the nightly compiler and libFuzzer under AddressSanitizer, without cargo-fuzz.
# Usage: scripts/fuzz.sh CRATE TARGET SECONDS, as in `scripts/fuzz.sh dimse pdu 3600`. What crashes is kept in the crate's fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/../crates/$1/fuzz"
target=$2 seconds=$3
host=$(rustc -vV | sed -n 's/^host: //p')
passes="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
passes="$passes -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS="$passes --cfg fuzzing -Zsanitizer=address -Cdebuginfo=0 -Cdebug-assertions" cargo +nightly build --release --quiet --target "$host" --bin "$target"
mkdir -p "corpus/$target" "artifacts/$target"
exec "${CARGO_TARGET_DIR:-target}/$host/release/$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=30 -max_len=20000 \
    -artifact_prefix="artifacts/$target/" "corpus/$target"
