#!/usr/bin/env bash
# Times `coxa evaluate` on a million films, by film and by 70,000 patients, and says how much memory each takes.
# Run: cargo build --release && bench/evaluate.sh [path of coxa]
set -euo pipefail
cd "$(dirname "$0")/.."
coxa=${1:-target/release/coxa}
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT

# A film in five has a fracture; probabilities overlap and are not well calibrated.
awk 'BEGIN {
    srand(1)
    print "image_id,patient,label,probability"
    for (i = 0; i < 1000000; i++) {
        label = rand() < 0.2
        x = rand() + rand() + rand() - 1.5 + (label ? 0.6 : -0.4)
        printf "film-%07d,patient-%05d,%d,%.9f\n", i, i % 70000, label, 1 / (1 + exp(-3 * x))
    }
}' > "$folder/films.csv"

measure() {
    local name=$1
    shift
    /usr/bin/time -f "$name: %e s, %M KiB at most" "$coxa" evaluate --predictions "$folder/films.csv" --json "$@" > /dev/null
}
measure "by film" --by-film
measure "by patient" --by-patient
