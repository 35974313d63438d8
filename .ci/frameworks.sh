#!/usr/bin/env bash
# CrewAI and AutoGen, for real: an environment of their own, and the tests of other frameworks in it.
# Usage: .ci/frameworks.sh [pytest arguments]; .ci/frameworks.sh pin writes constraints-frameworks.txt anew.
# UV and FRAMEWORKS_VENV name another uv and another place for the environment.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
venv=${FRAMEWORKS_VENV:-.venv-frameworks}
constraints=constraints-frameworks.txt
tools='pytest>=8.3 pytest-asyncio>=0.25 psutil>=6 hypothesis>=6.120'

step() { printf '== %s (%s s)\n' "$1" "$SECONDS"; }

if [ "${1:-}" = pin ]; then
  # shellcheck disable=SC2086  # one requirement a word
  printf '%s\n' $tools | "$uv" pip compile pyproject.toml - --extra engine --extra crewai --extra autogen \
    --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
    --no-emit-find-links --upgrade --quiet --output-file "$constraints"
  exit
fi

step 'an environment with CrewAI and AutoGen'
test -x "$venv/bin/python" || "$uv" venv --quiet --python .venv/bin/python "$venv"
# shellcheck disable=SC2086
"$uv" pip install --quiet --python "$venv/bin/python" --compile-bytecode --constraints "$constraints" \
  $tools --editable '.[engine,crewai,autogen]'
"$venv/bin/python" -c 'import crewai, autogen_agentchat; print("CrewAI", crewai.__version__, "AutoGen", autogen_agentchat.__version__)'

step 'the tests of other frameworks'
# vLLM has an environment and a lane of its own; name its server and they run on it too.
lane='not vllm'
test -n "${CREWGRAPH_TEST_VLLM_URL:-}" && lane='vllm or not vllm'
"$venv/bin/python" -m pytest -q tests/interop tests/crewfiles tests/docs/test_page_on_models.py -m "$lane" "$@"
step 'done'
