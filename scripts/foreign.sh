#!/usr/bin/env bash
# Installs the foreign programs that come from PyPI and npm into target/foreign: peers, validators, a viewer, a browser's driver. With them,
#     export COXA_PYTHON=$PWD/target/foreign/python/bin/python COXA_NODE_MODULES=$PWD/target/foreign/node_modules
# lets the tests run what they skip without them.
set -euo pipefail
cd "$(dirname "$0")/.."
place=${CARGO_TARGET_DIR:-target}/foreign
mkdir -p "$place"

if ! cmp -s scripts/foreign/requirements.txt "$place/requirements.txt"; then
    rm -rf "$place/python"
    python3 -m venv "$place/python"
    "$place/python/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r scripts/foreign/requirements.txt
    cp scripts/foreign/requirements.txt "$place/"
fi
if ! cmp -s scripts/foreign/package.json "$place/installed.json"; then
    cp scripts/foreign/package.json "$place/"
    npm install --prefix "$place" --loglevel=error --no-audit --no-fund --ignore-scripts
    # The viewer's package has its program prebuilt, and dependencies that are not published.
    viewer=$place/node_modules/@ohif/app
    mkdir -p "$viewer"
    npm pack @ohif/app@3.12.10 --silent --pack-destination "$place" > /dev/null
    tar -xzf "$place/ohif-app-3.12.10.tgz" -C "$viewer" --strip-components=1 --exclude=dist/ort --exclude=dist/dicom-microscopy-viewer
    rm "$place/ohif-app-3.12.10.tgz"
    cp scripts/foreign/package.json "$place/installed.json"
fi
