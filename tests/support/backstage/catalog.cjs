// The plugin `catalog`, as far as TechDocs and the search collator ask it: one entity by its name, and the
// entities that have an annotation, page by page. Who asks is decided by Backstage's own auth services.
//
// FILE is read at every request: {"component:default/demo": {...entity}}. An entity whose annotation
// `tests/visible-to` names users is shown to these and to services only: to others it does not exist.
// Every look-up is a line of LOG: its URL and the principal it came from.
'use strict';
const fs = require('node:fs');
const { installed } = require('./packages.cjs');

const { coreServices, createBackendPlugin } = installed('@backstage/backend-plugin-api');
const express = installed('express');

const annotationsOf = entity => entity.metadata.annotations ?? {};

function isVisible(entity, principal) {
  const users = annotationsOf(entity)['tests/visible-to'];
  if (!users || principal.type !== 'user') return true;
  return users.split(',').includes(principal.userEntityRef);
}

/** Whether an entity has every key of one filter, `key` or `key=value`, as the catalog's query parameter says it. */
function matches(entity, filter) {
  return filter.split(',').every(condition => {
    const [key, value] = condition.split('=');
    const wanted = key.toLowerCase();
    if (wanted === 'kind') return entity.kind.toLowerCase() === value.toLowerCase();
    const prefix = 'metadata.annotations.';
    if (!wanted.startsWith(prefix)) throw new Error(`this catalog does not filter by ${key}`);
    return key.slice(prefix.length) in annotationsOf(entity);
  });
}

function page(entities, query) {
  const state = query.cursor
    ? JSON.parse(Buffer.from(query.cursor, 'base64').toString())
    : { start: 0, filters: [query.filter ?? []].flat() };
  const found = entities.filter(
    entity => !state.filters.length || state.filters.some(filter => matches(entity, filter)),
  );
  const end = state.start + Number(query.limit ?? 20);
  const next = Buffer.from(JSON.stringify({ ...state, start: end })).toString('base64');
  return {
    items: found.slice(state.start, end),
    totalItems: found.length,
    pageInfo: end < found.length ? { nextCursor: next } : {},
  };
}

exports.catalogPlugin = (file, log) =>
  createBackendPlugin({
    pluginId: 'catalog',
    register(env) {
      env.registerInit({
        deps: { http: coreServices.httpRouter, httpAuth: coreServices.httpAuth },
        async init({ http, httpAuth }) {
          const seenBy = async request => {
            const { principal } = await httpAuth.credentials(request);
            fs.appendFileSync(log, `${JSON.stringify({ url: request.originalUrl, principal })}\n`);
            const all = Object.entries(JSON.parse(fs.readFileSync(file, 'utf8')));
            return new Map(all.filter(([, entity]) => isVisible(entity, principal)));
          };
          const router = express.Router();
          router.get('/entities/by-name/:kind/:namespace/:name', async (request, response) => {
            const { kind, namespace, name } = request.params;
            const ref = `${kind}:${namespace}/${name}`.toLowerCase();
            const entity = (await seenBy(request)).get(ref);
            if (entity) {
              response.json(entity);
              return;
            }
            const error = { name: 'NotFoundError', message: `No entity named '${name}' found` };
            response.status(404).json({ error, response: { statusCode: 404 } });
          });
          router.get('/entities/by-query', async (request, response) => {
            response.json(page([...(await seenBy(request)).values()], request.query));
          });
          http.use(router);
        },
      });
    },
  });
