#!/usr/bin/env bash
# Builds the wheel, holds its contents against the folders, and runs it from a clean environment elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

.venv/bin/uv build --quiet --wheel --sdist --out-dir "$work/dist" .
.venv/bin/python - "$work"/dist/*.whl <<'PY'
import sys
import zipfile
from pathlib import Path

packed = {name for name in zipfile.ZipFile(sys.argv[1]).namelist() if name.startswith("crewgraph/")}
wanted = {
    f"crewgraph/{path}"
    for layer in ("runtime", "tools", "agents", "planner", "serving")
    for path in map(str, Path(layer).rglob("*"))
    if path.endswith((".py", ".toml"))
} | {"crewgraph/__init__.py", "crewgraph/py.typed"}
missing = sorted(wanted - packed)
print(f"the wheel holds {len(packed)} files")
sys.exit(f"missing from the wheel: {', '.join(missing)}" if missing else 0)
PY

python3 -m venv "$work/env"
.venv/bin/uv pip install --quiet --python "$work/env/bin/python" --constraints constraints.txt "$(echo "$work"/dist/*.whl)"
cp -r examples "$work/examples"
cd "$work"
env/bin/python - "$root" <<'PY'
import sys
import sysconfig
from pathlib import Path

import crewgraph

assert not Path(crewgraph.__file__).is_relative_to(sys.argv[1]), "the checkout was imported, not the wheel"
packages = Path(sysconfig.get_path("purelib"))
size = sum(f.stat().st_size for f in packages.rglob("*") if f.is_file()) / 1e6
names = {p.name.lower() for p in packages.iterdir()}
print(f"the core install is {size:.0f} MB")
assert "torch" not in names, "torch is in the core install"
assert size < 450, "the core install is larger than 450 MB"
PY
env/bin/crewgraph --help
env/bin/crewgraph run examples/countries.py 'What is 15% of 240?' --planner rules --plan-only
.venv_engine() { "$root/.venv/bin/crewgraph" engine "$@"; }
.venv_engine start >/dev/null
url=$(.venv_engine status --json | env/bin/python -c 'import json, sys; print(json.load(sys.stdin)["url"])')
env/bin/crewgraph --model-url "$url" run examples/countries.py 'Which is larger, Spain or Sweden?'
.venv_engine stop >/dev/null
