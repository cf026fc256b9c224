// Copyright (c) 2026, wmx.llm_platform contributors
// SPDX-License-Identifier: Apache-2.0
// Errors in the form of the native engine, by which LiteLLM tells an outage from a refusal.
'use strict';

function describeFailure(error) {
  let known;
  try {
    known = JSON.parse(error.message);
  } catch {
    known = { message: error.message };
  }
  const message = String(known.message || known.error || error.message);
  return failure(message, { error_code: known.error_code, meta: known.meta || {} });
}

// P1001 is Prisma's code for a server that cannot be reached; the engine only knows that its driver failed.
function describeLoss(database) {
  const message = `Can't reach database server at \`${database.host}:${database.port}\``;
  const meta = { database_host: database.host, database_port: database.port };
  return failure(message, { error_code: 'P1001', meta });
}

function failure(message, details) {
  return { errors: [{ error: message, user_facing_error: { is_panic: false, message, ...details } }] };
}

function isLoss(answer, database) {
  return Boolean(answer.errors) && database.lost && /external connector/.test(JSON.stringify(answer.errors));
}

module.exports = { describeFailure, describeLoss, isLoss };
