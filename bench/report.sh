#!/usr/bin/env bash
# The cost of `coxa report` beside `coxa predict --heatmap` on the same films, in turn, in one run: seconds and peak memory (MB).
# Films are simulated at the network's own size. Usage: bench/report.sh [FILMS] [ROUNDS]; 1,000 films and one round unless given.
set -euo pipefail
cd "$(dirname "$0")/.."
films=${1:-1000} rounds=${2:-1}
coxa=${COXA:-${CARGO_TARGET_DIR:-target}/release/coxa}
[ -x "$coxa" ] || cargo build --release --locked
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$coxa" simulate pelvis --n "$films" --out "$work/films" --format png --seed 31 2>/dev/null

# measure NAME COMMAND…: seconds of the clock and the peak of resident memory.
measure() {
    local name=$1
    shift
    python3 - "$name" "$@" <<'PY'
import resource, subprocess, sys, time
begun = time.monotonic()
done = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.monotonic() - begun
if done.returncode != 0:
    sys.exit(done.stderr.decode())
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
print(f"{sys.argv[1]:<20} {seconds:8.1f} s {peak:8.0f} MB")
PY
}
for round in $(seq "$rounds"); do
    measure "predict --heatmap" "$coxa" predict "$work/films" --heatmap "$work/maps$round" --json
    measure "report" "$coxa" report --data "$work/films" --seen-films --out "$work/report$round"
    rm -rf "$work/maps$round" "$work/report$round"
done
