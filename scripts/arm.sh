#!/usr/bin/env bash
# The engine's tests on 64-bit Arm, in QEMU where this machine is none: its NEON kernels against PyTorch's figures and against the
# portable ones. Needs the target (`rustup target add aarch64-unknown-linux-gnu`), its C compiler as linker and QEMU's user mode
# (Debian: gcc-aarch64-linux-gnu, qemu-user). Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
if [ "$(uname -m)" != aarch64 ]; then
    for program in aarch64-linux-gnu-gcc qemu-aarch64; do
        command -v "$program" >/dev/null || { echo "$program is not installed" >&2; exit 1; }
    done
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
fi
exec cargo test --locked -p coxa-engine --target "$target" "$@"
