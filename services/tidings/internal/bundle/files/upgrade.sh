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

step "3 servers" # one at a time: nats.conf is read at a start, and a running container keeps the file that it was started with
services=$($compose config --services)
for server in $services; do
  case $server in nats | nats-[0-9]) ;; *) continue ;; esac
  $compose up -d --force-recreate "$server"
  tries=300
  until $compose exec -T "$server" wget -q -O /dev/null http://127.0.0.1:8222/healthz 2>/dev/null; do
    tries=$((tries - 1))
    if [ "$tries" = 0 ]; then
      echo "$server does not become healthy; look at: $compose logs $server" >&2
      exit 1
    fi
    sleep 2
  done
done

step "4 services"
$compose up -d

step "5 nothing left to do"
operator status --wait 120s
