#!/usr/bin/env bash
# 100,000 association requests that end at every state of the protocol: the node may not grow by 8 MiB. Takes about a minute.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --release -p coxa-dimse --test main -- --ignored --exact holes::a_hundred_thousand_associations_leave_memory_flat
