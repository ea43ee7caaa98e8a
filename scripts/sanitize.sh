#!/usr/bin/env bash
# The engine's tests under AddressSanitizer, which sees a kernel that reads or writes outside of its buffers, on every instruction set
# that this processor has. Needs a nightly toolchain. (Miri does not run the vector instructions.)
set -euo pipefail
cd "$(dirname "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="-Zsanitizer=address -Cdebug-assertions=on"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/sanitize"
# Threads of the pool live until the process ends.
export ASAN_OPTIONS="detect_leaks=0"
# Doc tests are linked by rustdoc, which does not take the flags above.
exec cargo +nightly test --locked -p coxa-engine --lib --tests --target "$host" "$@"
