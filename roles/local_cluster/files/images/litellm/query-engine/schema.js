// Copyright (c) 2026, wmx.llm_platform contributors
// SPDX-License-Identifier: Apache-2.0
// What the translation of queries must know of a Prisma schema: each model's fields and their types.
'use strict';

function readModels(schema) {
  const models = {};
  let fields = null;
  for (const line of schema.split('\n')) {
    const model = line.match(/^model (\w+)/);
    const field = line.match(/^\s+(\w+)\s+(\w+)/);
    if (model) {
      fields = {};
      models[model[1]] = fields;
    } else if (line.startsWith('}')) {
      fields = null;
    } else if (fields && field) {
      fields[field[1]] = field[2];
    }
  }
  return models;
}

module.exports = { readModels };
