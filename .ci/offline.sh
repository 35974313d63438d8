#!/usr/bin/env bash
# Runs the first example with no network but loopback, and fails if anything tried to reach beyond it.
# Needs the right to make a network namespace; where there is none it says so and stops with success.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! unshare --net true 2>/dev/null; then
  echo "skipped: this user may not make a network namespace"
  exit 0
fi
.venv/bin/crewgraph engine stop >/dev/null || true
trace=$(mktemp)
trap 'rm -f "$trace"' EXIT
# A socket connect to an address that is not local is an attempt to leave; Python's audit hook sees every one.
cat > "$trace" <<'PY'
import os
import sys


def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        host = args[1][0] if event == "socket.connect" and isinstance(args[1], tuple) else args[0]
        if isinstance(host, str) and host not in ("127.0.0.1", "::1", "localhost"):
            os.write(2, f"TRIED TO LEAVE: {event} {host}\n".encode())


sys.addaudithook(hook)
PY
site=$(mktemp -d)
cp "$trace" "$site/sitecustomize.py"
log=$(mktemp)
# The kernel counts what any process, in whatever language, wanted to send where no route leads.
unshare --net bash -c "ip link set lo up && PYTHONPATH=$site make run &&
  awk '/^Ip: [0-9]/ {print \"packets without a route:\", \$13}' /proc/net/snmp &&
  awk '/^Ip6OutNoRoutes/ {print \"packets without a route:\", \$2}' /proc/net/snmp6" 2>&1 | tee "$log"
.venv/bin/crewgraph engine stop >/dev/null || true
if grep -Eq 'TRIED TO LEAVE|packets without a route: [1-9]' "$log"; then
  echo "something tried to leave the machine"
  exit 1
fi
grep -q 'packets without a route: 0' "$log"
grep -q 'evidence' "$log"
echo "nothing tried to leave"
