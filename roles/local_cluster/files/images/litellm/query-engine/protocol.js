// Copyright (c) 2026, wmx.llm_platform contributors
// SPDX-License-Identifier: Apache-2.0
// Translates the GraphQL that the Python client sends into the JSON protocol of the WebAssembly engine, and answers back.
'use strict';

const graphql = require('graphql');

const ACTIONS = [
  'findUnique',
  'findFirst',
  'findMany',
  'createOne',
  'createManyAndReturn',
  'createMany',
  'updateOne',
  'updateMany',
  'deleteOne',
  'deleteMany',
  'upsertOne',
  'aggregate',
  'groupBy',
];
const RAW_ACTIONS = ['queryRaw', 'executeRaw'];
// Operators around the value of a Json field; any other key belongs to the query itself.
const JSON_OPERATORS = new Set(['equals', 'not', 'set', 'push', 'string_contains', 'array_contains']);
const NULLS = new Set(['DbNull', 'JsonNull', 'AnyNull']);

class Translation {
  constructor(models) {
    this.models = models;
  }

  // The value of an argument; `model` names the model whose fields an object's keys are.
  value(node, model) {
    switch (node.kind) {
      case 'IntValue': {
        const number = Number(node.value);
        return Number.isSafeInteger(number) ? number : { $type: 'BigInt', value: node.value };
      }
      case 'FloatValue':
        return Number(node.value);
      case 'EnumValue':
        return NULLS.has(node.value) ? { $type: 'Enum', value: node.value } : node.value;
      case 'StringValue':
      case 'BooleanValue':
        return node.value;
      case 'NullValue':
        return null;
      case 'ListValue':
        return node.values.map((item) => this.value(item, model));
      case 'ObjectValue':
        return this.object(node, model);
      default:
        throw new Error(`a query has a ${node.kind}, which this engine does not know`);
    }
  }

  object(node, model) {
    const fields = (model && this.models[model]) || {};
    const entries = node.fields.map((field) => {
      const name = field.name.value;
      const type = fields[name];
      if (type === 'Json') return [name, this.json(field.value)];
      return [name, this.value(field.value, type && this.models[type] ? type : model)];
    });
    return Object.fromEntries(entries);
  }

  // The value of a Json field: a bare string is JSON text, and the engine wants to be told so.
  json(node) {
    switch (node.kind) {
      case 'StringValue':
        return { $type: 'Json', value: node.value };
      case 'ListValue':
        return node.values.map((item) => this.json(item));
      case 'ObjectValue': {
        const entries = node.fields.map((field) => {
          const name = field.name.value;
          return [name, JSON_OPERATORS.has(name) ? this.json(field.value) : this.value(field.value)];
        });
        return Object.fromEntries(entries);
      }
      default:
        return this.value(node);
    }
  }

  arguments(field, model) {
    const found = (field.arguments || []).map((argument) => [argument.name.value, this.value(argument.value, model)]);
    return Object.fromEntries(found);
  }

  selection(set) {
    const entries = (set ? set.selections : []).map((field) => {
      const nested = field.selectionSet || (field.arguments || []).length;
      const value = nested ? { arguments: this.arguments(field), selection: this.selection(field.selectionSet) } : true;
      return [field.name.value, value];
    });
    return Object.fromEntries(entries);
  }

  query(text) {
    const document = graphql.parse(text, { noLocation: true });
    const field = document.definitions[0].selectionSet.selections[0];
    const name = field.name.value;
    const alias = field.alias ? field.alias.value : name;
    if (RAW_ACTIONS.includes(name)) {
      return { body: { action: name, query: { arguments: this.arguments(field), selection: {} } }, alias, raw: true };
    }
    let action = ACTIONS.find((candidate) => name.startsWith(candidate));
    let modelName = name.slice(action.length);
    if (/^find(Unique|First)$/.test(action) && modelName.endsWith('OrThrow')) {
      modelName = modelName.slice(0, -'OrThrow'.length);
      action += 'OrThrow';
    }
    const query = { arguments: this.arguments(field, modelName), selection: this.selection(field.selectionSet) };
    return { body: { modelName, action, query }, alias, raw: false };
  }
}

// The JSON protocol says what type a value has; GraphQL's answers are bare.
function withoutTypes(value) {
  if (Array.isArray(value)) return value.map(withoutTypes);
  if (value === null || typeof value !== 'object') return value;
  if ('$type' in value) return value.$type === 'FieldRef' ? value : value.value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutTypes(item)]));
}

function readAnswer(answer, { alias, raw }) {
  if (answer.errors) return answer;
  const [data] = Object.values(answer.data || {});
  return { data: { [alias]: raw ? data : withoutTypes(data) } };
}

module.exports = { Translation, readAnswer };
