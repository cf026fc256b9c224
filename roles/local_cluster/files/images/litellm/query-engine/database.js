// Copyright (c) 2026, wmx.llm_platform contributors
// SPDX-License-Identifier: Apache-2.0
// A pool of PostgreSQL connections that Prisma's driver adapter can use, and what it hides: whether the server was lost.
'use strict';

const { Pool } = require('pg');

// Parameters of a Prisma URL that node-postgres does not know.
const PRISMA_PARAMETERS = [
  'application_name',
  'connect_timeout',
  'connection_limit',
  'max_idle_connection_lifetime',
  'pgbouncer',
  'pool_timeout',
  'schema',
  'socket_timeout',
  'statement_cache_size',
];

// The adapter has no mapping for name and name[], which LiteLLM selects: show them as text and text[].
const SHOWN_AS = { 19: 25, 1003: 1009 };

// What the driver says when the server is away, unreachable, unknown to the DNS, or shutting down.
const LOST =
  /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|57P0|08)|terminated|timeout|Connection ended|not queryable/;
const LOST_FOR_MS = 2000;
const CONNECT_TIMEOUT_MS = 5000;

function showTypes(query) {
  if (!query || !query.types || !query.types.getTypeParser) return query;
  const parserOf = query.types.getTypeParser;
  return { ...query, types: { getTypeParser: (oid, format) => parserOf(SHOWN_AS[oid] || oid, format) } };
}

function showFields(result) {
  for (const field of (result && result.fields) || []) {
    field.dataTypeID = SHOWN_AS[field.dataTypeID] || field.dataTypeID;
  }
  return result;
}

class Database {
  constructor(text) {
    const url = new URL(text);
    this.host = url.hostname;
    this.port = Number(url.port || 5432);
    this.schema = url.searchParams.get('schema') || 'public';
    const connections = Number(url.searchParams.get('connection_limit') || 10);
    for (const name of PRISMA_PARAMETERS) url.searchParams.delete(name);
    this.lostAt = 0;
    this.pool = this.watch(
      new Pool({ connectionString: url.toString(), max: connections, connectionTimeoutMillis: CONNECT_TIMEOUT_MS }),
    );
    this.pool.on('error', (error) => console.error('connection pool:', error.message));
    this.watchTransactions();
  }

  // Whether an answer of just now may have failed because the server was away.
  get lost() {
    return Date.now() - this.lostAt < LOST_FOR_MS;
  }

  close() {
    return this.pool.end();
  }

  remember(error) {
    if (LOST.test(String(error.code || '')) || LOST.test(String(error.message || ''))) this.lostAt = Date.now();
    throw error;
  }

  // Wraps the query method of the pool or of one of its connections.
  watch(target) {
    const original = target.query.bind(target);
    target.query = async (query, ...rest) => {
      const pending = original(showTypes(query), ...rest);
      const result = pending && pending.catch ? await pending.catch((error) => this.remember(error)) : pending;
      return showFields(result);
    };
    return target;
  }

  // The adapter takes a connection of its own for a transaction; the pool itself calls connect with a callback.
  watchTransactions() {
    const connect = this.pool.connect.bind(this.pool);
    const watched = new WeakSet();
    this.pool.connect = async (...callback) => {
      if (callback.length) return connect(...callback);
      const client = await connect().catch((error) => this.remember(error));
      if (!watched.has(client)) {
        watched.add(client);
        this.watch(client);
      }
      return client;
    };
  }
}

module.exports = { openDatabase: (url) => new Database(url) };
