#!/usr/bin/env bash
# The golden files with another version of torch, in an environment of its own that holds only what
# decoding needs: tests/second_torch.sh [VERSION]
set -euo pipefail
tests="$(cd "$(dirname "$0")" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
. "$work/venv/bin/activate"
pip install -q "torch==${1:-2.13.0}" numpy constriction safetensors jsonschema numba pillow
mkdir "$work/source" # pip builds in the folder that it installs from
cp -r "$tests"/../{recvae,pyproject.toml,README.md,LICENSE} "$work/source"
pip install -q --no-deps "$work/source"
cd "$work" # away from the sources: the installed package
PYTHONPATH="$tests" python -m golden.check
