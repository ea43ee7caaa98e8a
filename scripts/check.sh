#!/usr/bin/env bash
# What CI does, cheapest checks first. `scripts/check.sh fast` stops before the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

step "format"
cargo fmt --all --check

step "layout"
scripts/layout.sh

step "words"
scripts/words.sh

if command -v cargo-deny >/dev/null 2>&1; then
    step "dependencies"
    cargo deny --offline check bans licenses sources
else
    echo "skipped: cargo deny is not installed"
fi

step "clippy"
cargo clippy --workspace --all-targets --locked -- -D warnings

[ "${1:-}" = fast ] && exit 0

step "tests"
skipped="${CARGO_TARGET_DIR:-target}/skipped.txt"
rm -f "$skipped"
cargo test --workspace --locked

step "second opinion: Burn's CPU back end beside the engine"
cargo test -p coxa-model --features flex --locked --lib second_opinion

if cargo +nightly --version >/dev/null 2>&1; then
    step "the engine under AddressSanitizer"
    scripts/sanitize.sh
else
    echo "skipped: no nightly toolchain for AddressSanitizer"
fi

step "docs"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet

if [ -s "$skipped" ]; then
    step "$(sort -u "$skipped" | wc -l) tests were skipped, wholly or in part"
    sort -u "$skipped"
else
    step "no test was skipped"
fi
