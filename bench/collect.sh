#!/usr/bin/env bash
# The tests of `coxa collect` with 300 simulated patients instead of 30: Orthanc by C-GET, C-MOVE and DICOMweb, dcmqrscp (two storage areas, as
# each holds 500 studies) by C-GET and C-MOVE, and a PACS that refuses one request in 50 and hangs once. Each collection is killed five times and
# resumed, that of dcmqrscp five times for each area.
set -euo pipefail
cd "$(dirname "$0")/.."
export COXA_COLLECT_PATIENTS=${1:-300} COXA_E2E=1
cargo test --release -p coxa-cli --test main collecting -- --nocapture --test-threads 1
