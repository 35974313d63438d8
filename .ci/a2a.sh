#!/usr/bin/env bash
# The official A2A SDKs, for real: Python a2a-sdk and npm @a2a-js/sdk, each in a place of its own, and the tests that talk
# to them. Usage: .ci/a2a.sh [pytest arguments]. UV and A2A_HOME name another uv and another place; node 20 or newer and
# npm have to be there.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
home=${A2A_HOME:-.venv-a2a}

step() { printf '== %s (%s s)\n' "$1" "$SECONDS"; }

step 'the SDKs'
mkdir -p "$home/node"
test -x "$home/python/bin/python" || "$uv" venv --quiet --python .venv/bin/python "$home/python"
"$uv" pip install --quiet --python "$home/python/bin/python" 'a2a-sdk[http-server]>=1.3,<2' 'uvicorn>=0.34'
if [ ! -d "$home/node/node_modules/@a2a-js/sdk" ]; then
  printf '{"private": true}\n' >"$home/node/package.json"
  (cd "$home/node" && npm install --silent --no-audit --no-fund --no-package-lock '@a2a-js/sdk@^1.3' 'express@^5')
fi

step 'the tests'
CREWGRAPH_TEST_A2A_PYTHON="$(realpath -s "$home")/python/bin/python" CREWGRAPH_TEST_A2A_NODE="$(realpath "$home")/node" \
  .venv/bin/python -m pytest -q tests/a2a "$@"
step 'done'
