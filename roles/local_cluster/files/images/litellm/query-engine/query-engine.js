#!/usr/bin/env node
// Copyright (c) 2026, wmx.llm_platform contributors
// SPDX-License-Identifier: Apache-2.0
// Stands in for Prisma's native query engine, whose binary comes from a host that package registries do not mirror.
// The Python client starts it like the native one and speaks GraphQL to it; underneath runs Prisma's own engine in the
// WebAssembly build that the npm package @prisma/client ships, with node-postgres as its driver.
'use strict';

const fs = require('fs');
const http = require('http');

// The commit of Prisma 5.17.0's engine; the Python client refuses another one.
const ENGINE_VERSION = '393aa359c9ad4a4bb28630fb5613f9c281cde053';

if (process.argv.includes('--version')) {
  console.log(`query-engine ${ENGINE_VERSION}`);
  process.exit(0);
}

const { openDatabase } = require('./database');
const { describeFailure } = require('./errors');
const { loadEngine } = require('./engine');
const { createHandler } = require('./handler');
const { readModels } = require('./schema');

function portOf(argv) {
  const index = argv.findIndex((argument) => argument === '-p' || argument === '--port');
  return Number(argv[index + 1]);
}

function databaseUrl(environment) {
  try {
    const [datasource] = JSON.parse(environment.OVERWRITE_DATASOURCES);
    return datasource.url || environment.DATABASE_URL;
  } catch {
    return environment.DATABASE_URL;
  }
}

function readBody(request) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.on('error', reject);
  });
}

async function main() {
  const schema = fs.readFileSync(process.env.PRISMA_DML_PATH, 'utf8');
  const database = openDatabase(databaseUrl(process.env));
  const engine = loadEngine(schema, database);
  const handle = createHandler(engine, database, readModels(schema));
  await engine.connect('{}');

  const server = http.createServer(async (request, response) => {
    let answer;
    try {
      answer = await handle(request.url, request.headers, await readBody(request));
    } catch (error) {
      answer = describeFailure(error);
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer));
  });
  server.keepAliveTimeout = 60000;
  server.listen(portOf(process.argv), '127.0.0.1');

  const stop = async () => {
    await Promise.allSettled([engine.disconnect('{}'), database.close()]);
    process.exit(0);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
