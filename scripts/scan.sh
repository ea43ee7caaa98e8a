#!/usr/bin/env bash
# Scanners of others against a node that runs: its interfaces, its pages, its headers. What is not installed is named and left out.
#
#     scripts/scan.sh install     # from PyPI and npm, into target/foreign/scan; vnu wants java too
#     scripts/scan.sh             # COXA=PATH names another program than target/debug/coxa; SECONDS_EACH bounds each long scan
#
# Reports stay in target/artifacts/scan. docs/security.md has what was found, and what is left.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
place=$target/foreign/scan
reports=$target/artifacts/scan
seconds=${SECONDS_EACH:-120}

if [ "${1:-}" = install ]; then
    mkdir -p "$place"
    # Their requirements contradict each other's.
    for package in schemathesis==4.32.5 wapiti3==3.2.3; do
        python3 -m venv "$place/${package%%=*}"
        "$place/${package%%=*}/bin/pip" install --quiet --disable-pip-version-check "$package"
    done
    npm install --prefix "$place" --loglevel=error --no-audit --no-fund --ignore-scripts vnu-jar@26.9.27 csp_evaluator@1.1.8 \
        @seriousme/openapi-schema-validator@2.11.0
    exit
fi

coxa=${COXA:-$target/debug/coxa}
[ -x "$coxa" ] || { echo "$coxa is not there: cargo build, or COXA=PATH" >&2; exit 2; }
rm -rf "$reports"
mkdir -p "$reports/pages"
work=$(mktemp -d)
node=
finish() {
    [ -z "$node" ] || { kill "$node" 2>/dev/null; wait "$node" 2>/dev/null || true; }
    rm -rf "$work"
}
trap finish EXIT
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
http=127.0.0.1:$(port)
dicom=127.0.0.1:$(port)
url=http://$http
printf 'require_token = true\n[limits]\nfree_disk_mib = 1\n' > "$work/coxa.toml"
"$coxa" serve --config "$work/coxa.toml" --data "$work/data" --http "$http" --dicom "$dicom" 2> "$work/log" &
node=$!
for _ in $(seq 300); do grep -q '^ready' "$work/log" && break; sleep 0.2; done
grep -q '^ready' "$work/log" || { cat "$work/log" >&2; exit 1; }
password=$(sed -n 's/.*user admin password //p' "$work/log")
token=$("$coxa" token create --name scan --scope admin --data "$work/data")
"$coxa" simulate pelvis --n 3 --out "$work/films" --format dicom > /dev/null 2>&1
"$coxa" send "$work/films" --recursive --to "COXA@$dicom" > /dev/null 2>&1
for _ in $(seq 300); do
    curl -sf -H "Authorization: Bearer $token" "$url/api/v1/readings" | grep -qE '"state":"(received|reading)"' || break
    sleep 0.5
done
cookie=$(python3 scripts/scan/session.py "$url" "$password" "$reports/pages")

failed=
# Runs a scan: its name, whether it is installed, the command. Its output is its report.
scan() {
    local name=$1 file=$2
    shift 2
    if [ ! -e "$file" ]; then
        echo "skipped: $name is not installed: scripts/scan.sh install"
    elif "$@" > "$reports/$name.txt" 2>&1; then
        echo "ok: $name"
    else
        echo "FAILED: $name: $reports/$name.txt"
        failed="$failed $name"
    fi
}

html() { java -jar "$place/node_modules/vnu-jar/build/dist/vnu.jar" --stdout --format text "$reports"/pages/*.html; }
if command -v java > /dev/null; then
    scan vnu "$place/node_modules/vnu-jar/build/dist/vnu.jar" html
else
    echo "skipped: vnu wants java"
fi

policy() { curl -s -o /dev/null -D - "$url/signin" | sed -n 's/^content-security-policy: //Ip' | tr -d '\r' | NODE_PATH=$place/node_modules node scripts/scan/csp.js; }
scan csp_evaluator "$place/node_modules/csp_evaluator" policy

document() { curl -sf "$url/api/v1/openapi.json" -o "$reports/openapi.json" && node "$place/node_modules/@seriousme/openapi-schema-validator/bin/validate-api-cli.js" "$reports/openapi.json"; }
scan openapi "$place/node_modules/@seriousme/openapi-schema-validator" document

# It cannot write `multipart/related`: scripts/fuzz.sh is for what is stored.
interfaces() { (cd "$work" && "$place/schemathesis/bin/st" run "$@"); }
scan schemathesis "$place/schemathesis/bin/st" interfaces "$url/api/v1/openapi.json" \
    --header "Authorization: Bearer $token" --checks all --phases examples,coverage,fuzzing \
    --max-time "$seconds" --max-examples 25 --seed 1 --continue-on-failure \
    --exclude-operation-id post_dicom_web_studies --exclude-operation-id post_dicom_web_studies_study

# Modules that ask servers elsewhere are left out, and `csrf`, which knows tokens by the usual names of their fields alone.
modules=cookieflags,crlf,csp,exec,file,http_headers,permanentxss,redirect,sql,timesql,xss
pages() {
    "$place/wapiti3/bin/wapiti" -u "$url/" --scope folder --module "$modules" --header "Cookie: $cookie" --exclude "$url/signout" --flush-session \
        --max-scan-time "$seconds" --max-attack-time 30 --store-session "$work/wapiti" --no-bugreport -f json -o "$reports/wapiti.json" &&
        python3 - "$reports/wapiti.json" << 'PYTHON'
import json, sys
report = json.load(open(sys.argv[1]))
found = {kind: len(all) for group in ("vulnerabilities", "anomalies") for kind, all in report[group].items() if all}
print("crawled:", report["infos"].get("crawled_pages_nbr"), "found:", found)
sys.exit(bool(found))
PYTHON
}
scan wapiti "$place/wapiti3/bin/wapiti" pages

kill "$node"
wait "$node" || true
node=
if grep -Ei 'panicked|ERROR' "$work/log"; then
    echo "FAILED: the node's log has errors"
    failed="$failed log"
fi
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
