#!/usr/bin/env bash
# How fast films of 6.8 MB are received, in turn, on one machine in one run: `coxa serve` (every film on the disk and its row committed before
# 0000H), Orthanc with its SQLite, and dcmtk's `storescp --fork`. The client is dcmtk's storescu for all. Needs dcmtk and orthanc.
# Usage: bench/receive.sh [FILMS] [ROUNDS]; 48 films and 3 rounds unless given.
set -euo pipefail
cd "$(dirname "$0")/.."
films=${1:-48} rounds=${2:-3}
coxa=$(realpath "${COXA:-${CARGO_TARGET_DIR:-target}/release/coxa}")
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$work"' EXIT

# 1,844 × 1,844 pixels of 16 bits: 6.8 MB, each with UIDs of its own.
python3 - "$work" "$films" <<'PY'
import os, subprocess, sys
work, films = sys.argv[1], int(sys.argv[2])
pixels = os.urandom(1844 * 1844 * 2)
open(f"{work}/pixels", "wb").write(pixels)
os.makedirs(f"{work}/films")
for film in range(films):
    dump = f"""(0008,0016) UI =DigitalXRayImageStorageForPresentation
(0008,0018) UI 2.25.{1000 + film}
(0008,0060) CS DX
(0010,0010) PN SIMULATED^FILM
(0010,0020) LO SIM{film}
(0020,000d) UI 2.25.{5000 + film}
(0020,000e) UI 2.25.{9000 + film}
(0028,0002) US 1
(0028,0004) CS MONOCHROME2
(0028,0010) US 1844
(0028,0011) US 1844
(0028,0100) US 16
(0028,0101) US 12
(0028,0102) US 11
(0028,0103) US 0
(7fe0,0010) OW ={work}/pixels
"""
    open(f"{work}/film.txt", "w").write(dump)
    subprocess.run(["dump2dcm", "+te", "-q", f"{work}/film.txt", f"{work}/films/{film:04d}.dcm"], check=True)
PY

free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
await() { for _ in $(seq 200); do echoscu -aec "$1" 127.0.0.1 "$2" 2>/dev/null && return; sleep 0.1; done; echo "$1 does not start" >&2; exit 1; }

# send TITLE PORT ASSOCIATIONS: films a second.
send() {
    local begun ended part=$(((films + $3 - 1) / $3)) waiting=()
    begun=$(date +%s.%N)
    for group in $(seq "$3"); do
        find "$work/films" -name '*.dcm' | sort | tail -n +$(((group - 1) * part + 1)) | head -n "$part" |
            xargs -r storescu -aec "$1" 127.0.0.1 "$2" &
        waiting+=($!)
    done
    wait "${waiting[@]}"
    ended=$(date +%s.%N)
    echo "$films $begun $ended" | awk '{ printf "%.1f", $1 / ($3 - $2) }'
}

for round in $(seq "$rounds"); do
    for associations in 1 8; do
        for peer in coxa orthanc storescp; do
            place=$work/$peer-$round-$associations
            mkdir -p "$place"
            port=$(free)
            case $peer in
                coxa)
                    "$coxa" serve --data "$place/data" --roles receive --http "127.0.0.1:$(free)" --dicom "127.0.0.1:$port" 2> /dev/null &
                    title=COXA ;;
                orthanc)
                    echo "{\"DicomAet\": \"ORTHANC\", \"DicomPort\": $port, \"HttpPort\": $(free), \"StorageDirectory\": \"$place\", \"IndexDirectory\": \"$place\",
                        \"DicomAlwaysAllowStore\": true, \"DicomAlwaysAllowEcho\": true, \"Plugins\": []}" > "$place.json"
                    Orthanc "$place.json" > /dev/null 2>&1 &
                    title=ORTHANC ;;
                storescp)
                    storescp --fork -aet STORESCP -od "$place" "$port" > /dev/null 2>&1 &
                    title=STORESCP ;;
            esac
            pid=$!
            pids+=("$pid")
            await "$title" "$port"
            echo "round $round, $associations association(s), $peer: $(send "$title" "$port" "$associations") films/s"
            kill "$pid" 2> /dev/null || true
            wait "$pid" 2> /dev/null || true
            rm -rf "$place"
        done
    done
done
