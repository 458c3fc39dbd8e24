#!/usr/bin/env bash
# A smoke run in less than a minute: 20 stations charge at a back-end, and what was said and kept is judged.
#
#   smoke.sh [FOLDER]     the evidence goes there: junit.xml, wire.jsonl.zst, fleet.txt; default: chargerig-smoke
#
#   BACK_END=ws://HOST/PATH/{id}   your back-end. Left out, the reference CSMS is started here and its books are compared.
#   STATIONS=20 LASTS=20s TOKEN=   how many, for how long, and a token that your back-end accepts
#
# Exit code 0: all holds. 1: a finding. 2: wrong input. 3: a failure of our own.
set -euo pipefail

folder=${1:-chargerig-smoke}
mkdir -p "$folder"
rm -f "$folder"/{junit.xml,wire.jsonl.zst,fleet.txt,serve.json,serve.log}
options=(--stations "${STATIONS:-20}" --for "${LASTS:-20s}" --session 6s --gap 2s --sample 2s --ramp 3s)
options+=(--wire "$folder/wire.jsonl.zst")
if [ -n "${TOKEN:-}" ]; then options+=(--token "$TOKEN"); fi

if [ -z "${BACK_END:-}" ]; then
  CHARGERIG_API_TOKEN=${CHARGERIG_API_TOKEN:-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')}
  export CHARGERIG_API_TOKEN
  chargerig serve --port 0 --api-port 0 --db memory --json >"$folder/serve.json" 2>"$folder/serve.log" &
  server=$!
  trap 'kill "$server" 2>/dev/null || true' EXIT
  for _ in $(seq 300); do
    if grep -q '}' "$folder/serve.json"; then break; fi
    if ! kill -0 "$server" 2>/dev/null; then cat "$folder/serve.log" >&2; exit 3; fi
    sleep 0.1
  done
  value() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$folder/serve.json"; }
  BACK_END=$(value ocpp)
  options+=(--api "$(value api)")
fi

code=0
chargerig fleet --url "$BACK_END" "${options[@]}" | tee "$folder/fleet.txt" || code=$?
if [ "$code" -gt 1 ]; then exit "$code"; fi
chargerig check "$folder/wire.jsonl.zst" --junit "$folder/junit.xml" || code=$?
if [ -n "${server:-}" ]; then
  kill "$server"
  wait "$server" || code=3
  trap - EXIT
fi
exit "$code"
