#!/usr/bin/env bash
# Real vLLM, end to end: install it, serve the default model with two adapters, run the tests marked `vllm`, stop it;
# then those tests that start vLLM themselves. CrewAI's and AutoGen's run on it too, from an environment of their own.
# Usage: .ci/vllm.sh [pytest arguments]. CREWGRAPH and PYTHON name other programs than those of .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
crewgraph=${CREWGRAPH:-.venv/bin/crewgraph}
python=${PYTHON:-.venv/bin/python}

step() { printf '== %s (%s s)\n' "$1" "$SECONDS"; }

step 'installing vLLM'
"$crewgraph" engine install vllm

step 'starting vLLM'
adapters=$(mktemp -d)
trap '"$crewgraph" engine stop vllm; rm -rf "$adapters"' EXIT
"$python" tests/engine/making_adapters.py "$adapters" odd strange
"$crewgraph" engine start vllm --adapter odd="$adapters/odd" --adapter strange="$adapters/strange"
CREWGRAPH_TEST_VLLM_URL=$("$crewgraph" engine status vllm --json |
  "$python" -c 'import json, sys; print(json.load(sys.stdin)["url"])')
export CREWGRAPH_TEST_VLLM_URL

step 'testing against vLLM'
"$python" -m pytest -m vllm --ignore tests/engine/vllm "$@"
bash .ci/frameworks.sh
"$crewgraph" engine status vllm
"$crewgraph" engine stop vllm

step 'testing vLLM as crewgraph keeps it'
"$python" -m pytest -m vllm tests/engine/vllm "$@"
step 'done'
