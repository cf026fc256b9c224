// Copyright (c) 2026, wmx.llm_platform contributors
// SPDX-License-Identifier: Apache-2.0
// Loads Prisma's query engine from its WebAssembly build.
'use strict';

const fs = require('fs');

const glue = require('@prisma/client/runtime/query_engine_bg.postgresql.js');
const { PrismaPg } = require('@prisma/adapter-pg');
const { bindAdapter } = require('@prisma/driver-adapter-utils');

function loadEngine(schema, database) {
  const wasm = fs.readFileSync(require.resolve('@prisma/client/runtime/query_engine_bg.postgresql.wasm'));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm), { './query_engine_bg.js': glue });
  glue.__wbg_set_wasm(instance.exports);
  const options = {
    // Where the engine reaches the database through a driver written in JavaScript, the schema must allow it.
    datamodel: schema.replace(/(generator \w+ \{)/, '$1\n  previewFeatures = ["driverAdapters"]'),
    env: process.env,
    logQueries: false,
    ignoreEnvVarErrors: true,
    datasourceOverrides: {},
    logLevel: 'error',
    configDir: '.',
    engineProtocol: 'json',
  };
  const adapter = bindAdapter(new PrismaPg(database.pool, { schema: database.schema }));
  return new glue.QueryEngine(options, () => {}, adapter);
}

module.exports = { loadEngine };
