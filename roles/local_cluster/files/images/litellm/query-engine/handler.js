// Copyright (c) 2026, wmx.llm_platform contributors
// SPDX-License-Identifier: Apache-2.0
// The routes of the native engine's HTTP server.
'use strict';

const { describeLoss, isLoss } = require('./errors');
const { Translation, readAnswer } = require('./protocol');

// The engine takes a trace of the caller with every call; there is none.
const NO_TRACE = '{}';
const TRANSACTION_LIMITS = { max_wait: 2000, timeout: 5000 };

function createHandler(engine, database, models) {
  const translation = new Translation(models);

  const ask = async (body, transaction) => {
    const answer = JSON.parse(await engine.query(JSON.stringify(body), NO_TRACE, transaction));
    return isLoss(answer, database) ? describeLoss(database) : answer;
  };

  const batch = async (request, transaction) => {
    const queries = request.batch.map((one) => translation.query(one.query));
    const body = {
      batch: queries.map((query) => query.body),
      transaction: request.transaction ? { isolationLevel: null } : undefined,
    };
    const answer = await ask(body, transaction);
    if (!answer.batchResult) return answer;
    return { batchResult: answer.batchResult.map((result, index) => readAnswer(result, queries[index])) };
  };

  const metrics = async () => {
    try {
      return JSON.parse(await engine.metrics(JSON.stringify({ format: 'json' })));
    } catch {
      return { counters: [], gauges: [], histograms: [] };
    }
  };

  const startTransaction = async (body) => {
    const options = { ...TRANSACTION_LIMITS, ...JSON.parse(body) };
    return JSON.parse(await engine.startTransaction(JSON.stringify(options), NO_TRACE));
  };

  return async (url, headers, body) => {
    if (url === '/status') return { status: 'ok' };
    if (url.startsWith('/metrics')) return metrics();
    if (url === '/transaction/start') return startTransaction(body);
    const end = url.match(/^\/transaction\/([^/]+)\/(commit|rollback)$/);
    if (end) {
      const [, id, verb] = end;
      const ended = await (verb === 'commit' ? engine.commitTransaction(id, NO_TRACE) : engine.rollbackTransaction(id, NO_TRACE));
      return JSON.parse(ended || '{}');
    }
    const request = JSON.parse(body);
    const transaction = headers['x-transaction-id'];
    if (request.batch) return batch(request, transaction);
    const query = translation.query(request.query);
    return readAnswer(await ask(query.body, transaction), query);
  };
}

module.exports = { createHandler };
