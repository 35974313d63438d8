#!/usr/bin/env bash
# Real vLLM, end to end: install it, serve the default model, run the tests marked `vllm`, stop it.
# Usage: .ci/vllm.sh [pytest arguments]. CREWGRAPH and PYTHON name other programs than those of .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
crewgraph=${CREWGRAPH:-.venv/bin/crewgraph}
python=${PYTHON:-.venv/bin/python}

step() { printf '== %s (%s s)\n' "$1" "$SECONDS"; }

step 'installing vLLM'
"$crewgraph" engine install vllm

step 'starting vLLM'
trap '"$crewgraph" engine stop vllm' EXIT
"$crewgraph" engine start vllm
CREWGRAPH_TEST_VLLM_URL=$("$crewgraph" engine status vllm --json |
  "$python" -c 'import json, sys; print(json.load(sys.stdin)["url"])')
export CREWGRAPH_TEST_VLLM_URL

step 'testing against vLLM'
"$python" -m pytest -m vllm "$@"
step 'done'
