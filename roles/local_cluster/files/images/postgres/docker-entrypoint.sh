#!/bin/sh
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
# Makes the database on the first start, from POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD_FILE, and runs the server.
# The socket, which only the pod reaches, asks for no password: rotating one must not depend on the former.
set -eu

case ${1-} in
  '' | -*) set -- postgres "$@" ;;
esac

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  # Under another name until it is complete, so that a first start that was killed leaves nothing that looks like one.
  rm -rf "$PGDATA.new"
  mkdir -p -m 0700 "$PGDATA.new"
  initdb --pgdata="$PGDATA.new" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" \
    --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 > /dev/null
  echo 'host all all all scram-sha-256' >> "$PGDATA.new/pg_hba.conf"
  echo "CREATE DATABASE \"$POSTGRES_DB\"" | postgres --single -D "$PGDATA.new" postgres > /dev/null
  mv "$PGDATA.new" "$PGDATA"
fi

if [ "$1" = postgres ]; then
  shift
  set -- postgres -c 'listen_addresses=*' "$@"
fi
exec "$@"
