#!/bin/sh
# Takes the containers to the release whose files lie in this folder: sh upgrade.sh. README.md, "Upgrade", says what to read
# before. It stops at the first step that fails, and what ran before runs on; it may be given again.
set -eu
cd "$(dirname "$0")"

if docker compose version >/dev/null 2>&1; then compose="docker compose"; else compose=docker-compose; fi
operator() {
  $compose run --rm --no-deps -T -v "$PWD/backup:/backup" topology "$@" --config /etc/tidings/tidings.yaml
}
step() { printf '\n== %s\n' "$1"; }

step "1 backup"
[ -d backup ] || install -d -m 0700 -o 65532 -g 65532 backup || {
  echo "as root: install -d -m 0700 -o 65532 -g 65532 $PWD/backup" >&2
  exit 1
}
operator backup "/backup/before-$(date -u +%Y%m%dT%H%M%SZ).tar"

step "2 streams" # what could lose data is shown and refused here, before anything else is new
operator topology plan
operator topology apply

step "3 services"
$compose up -d

step "4 nothing left to do"
operator status --wait 120s
