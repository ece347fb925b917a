#!/usr/bin/env bash
# All kernels of the search compiled by another version of Triton, the one of torch 2.11, without a
# GPU: tests/second_triton.sh [VERSION]
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

pip install -q --no-deps --target "$work/triton" "triton==${1:-3.6.0}"
export TRITON_CACHE_DIR="$work/cache" # what the installed version has there is not looked for
export PYTHONPATH="$work/triton:$root${PYTHONPATH:+:$PYTHONPATH}"
python "$root/benchmarks/gpu.py" --compile-only
