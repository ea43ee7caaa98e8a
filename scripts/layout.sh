#!/usr/bin/env bash
# The invariants that a compiler does not see: which crate may know which, where `unsafe` may stand, what no file may hold.
set -euo pipefail
cd "$(dirname "$0")/.."
fail=0
complain() { echo "layout: $*" >&2; fail=1; }

# allowed CRATE "DEPENDENCIES": the arrows of ARCHITECTURE.md, and no others (development dependencies are free).
allowed() {
    local crate=$1 permitted=" $2 " found
    for found in $(sed -n '/^\[dependencies\]/,/^\[/p' "crates/$crate/Cargo.toml" | sed -n 's/^coxa-\([a-z]*\).*/\1/p'); do
        case "$permitted" in *" $found "*) ;; *) complain "crates/$crate depends on $found" ;; esac
    done
}
# An arrow allows what lies below it too.
leaves="schema files stats engine"
dimse="schema"
imaging="schema files"
dicom="imaging $imaging"
cohort="schema files"
simulate="dicom cohort $dicom"
model="engine stats imaging cohort schema files"
study="stats cohort schema files imaging"
deidentify="dicom $dicom"
collect="cohort dimse deidentify $deidentify $cohort"
workflow="model $model $study $simulate study simulate dimse deidentify $deidentify"
serve="workflow collect $workflow $collect"
for leaf in $leaves testing; do allowed "$leaf" ""; done
allowed dimse "$dimse"
allowed imaging "$imaging"
allowed dicom "$dicom"
allowed cohort "$cohort"
allowed simulate "$simulate"
allowed model "$model"
allowed study "$study"
allowed deidentify "$deidentify"
allowed collect "$collect"
allowed workflow "$workflow"
allowed serve "$serve"

# Only the binary knows a command line; a library's error is a type of its own.
for manifest in crates/*/Cargo.toml; do
    [ "$manifest" = crates/cli/Cargo.toml ] && continue
    if grep -qE '^(anyhow|clap|indicatif)\b' "$manifest"; then complain "$manifest depends on anyhow, clap or indicatif"; fi
done

# Modules that import each other in a circle cannot be read, tested or moved one at a time.
python3 scripts/modules.py cycles cohort collect model serve simulate workflow || fail=1

if grep -rlE '\bunsafe\b *(\{|fn|impl|extern)' crates --include='*.rs' | grep -v '^crates/engine/'; then
    complain "unsafe code outside crates/engine"
fi
# A route is added with its rule, and in no other way.
if git grep -nE 'Router::new|routing::(get|post|any)' -- 'crates/serve/src/*.rs' ':!crates/serve/src/http/routes.rs'; then
    complain "a route without a rule: http::routes::Routes adds routes"
fi
while IFS= read -r file; do
    head -n 1 "$file" | grep -q '^//!' || complain "$file does not open with //!"
done < <(git ls-files 'crates/*/src/*.rs')

if git grep -nE '(/home/|/root/|/tmp/|/work/)' -- '*.rs' '*.md' '*.toml' '*.sh' '*.py' '*.R' ':!scripts/layout.sh'; then
    complain "an absolute path of one machine"
fi
exit $fail
