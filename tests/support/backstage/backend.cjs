// A Backstage backend on loopback: the real HTTP, auth and discovery services, a small catalog, an auth plugin
// whose user tokens Backstage's own code issues, a search plugin that runs the real collator, and either the
// real TechDocs plugin or, with --techdocs-at, whatever serves /api/techdocs elsewhere.
//
//   node backend.cjs --port PORT --folder DIR --entities FILE --keys DIR
//                    [--techdocs FILE] [--techdocs-at URL] [--permission]
//
// Prints READY when it serves. Ends with its standard input, so it never outlives who started it.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { installed } = require('./packages.cjs');
const { authPlugin } = require('./auth.cjs');
const { catalogPlugin } = require('./catalog.cjs');
const { searchPlugin } = require('./search.cjs');

const { createBackend } = installed('@backstage/backend-defaults');
const { coreServices, createServiceFactory } = installed('@backstage/backend-plugin-api');
const { ConfigReader } = installed('@backstage/config');

const { values: given } = parseArgs({
  options: {
    port: { type: 'string' },
    folder: { type: 'string' },
    entities: { type: 'string' },
    keys: { type: 'string' },
    techdocs: { type: 'string' },
    'techdocs-at': { type: 'string' },
    permission: { type: 'boolean', default: false },
  },
});

function configuration() {
  const port = Number(given.port);
  const origin = `http://localhost:${port}`;
  const elsewhere = given['techdocs-at'];
  const techdocs = given.techdocs ? JSON.parse(fs.readFileSync(given.techdocs, 'utf8')) : {};
  return {
    app: { baseUrl: origin, title: 'Backstage of the tests' },
    backend: {
      baseUrl: origin,
      listen: { host: '127.0.0.1', port },
      database: { client: 'better-sqlite3', connection: ':memory:' },
      cors: { origin: 'http://localhost:3000', methods: ['GET', 'POST'], credentials: true },
      auth: {
        pluginKeyStore: {
          type: 'static',
          static: {
            keys: [
              {
                keyId: 'plugins',
                publicKeyFile: path.join(given.keys, 'plugins.public.pem'),
                privateKeyFile: path.join(given.keys, 'plugins.pem'),
              },
            ],
          },
        },
        externalAccess: [
          { type: 'static', options: { token: 'a-static-token-of-the-tests', subject: 'pipeline' } },
          {
            type: 'static',
            options: { token: 'a-token-for-the-catalog-only', subject: 'catalog-reader' },
            accessRestrictions: [{ plugin: 'catalog' }],
          },
        ],
      },
    },
    permission: { enabled: given.permission },
    techdocs: {
      builder: 'local',
      generator: { runIn: 'local' },
      publisher: { type: 'local', local: { publishDirectory: path.join(given.folder, 'published') } },
      ...techdocs,
    },
    ...(elsewhere ? { discovery: { endpoints: [{ target: elsewhere, plugins: ['techdocs'] }] } } : {}),
  };
}

async function main() {
  fs.mkdirSync(path.join(given.folder, 'published'), { recursive: true });
  const config = configuration();
  const backend = createBackend();
  backend.add(
    createServiceFactory({ service: coreServices.rootConfig, deps: {}, factory: () => new ConfigReader(config) }),
  );
  backend.add(authPlugin(given.keys, config.backend.baseUrl));
  backend.add(catalogPlugin(given.entities, path.join(given.folder, 'lookups.jsonl')));
  backend.add(searchPlugin());
  if (!given['techdocs-at']) backend.add(installed('@backstage/plugin-techdocs-backend'));
  process.stdin.resume().on('end', () => process.exit(0));
  await backend.start();
  console.log('READY');
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
