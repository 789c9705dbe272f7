// Calls the unmodified clients of @backstage/plugin-techdocs, as the frontend does, and prints what they return.
//
//   node clients.mjs CALLS        CALLS: {"base": URL of TechDocs, "token": TOKEN, "config": {}, "calls": [[method, ...], ...]}
//
// Prints a JSON list with one entry per call: {"value": ...} or {"error": {name, message, ...}}. A call is one of
//   ["metadata", entity] ["entity", entity] ["page", entity, path] ["baseUrl", old, entity, path] ["storageUrl"] ["builder"]
//   ["sync", entity]                   value: {result, lines}
//   ["syncHidden", entity, gate]       hides the tab after the first line, removes the file `gate`, and shows the tab again
//                                      only when ["hiddenUntil"] answers; see below
//
// The environment of a browser that the clients use and Node lacks is made here: `window` with timers, and a
// `document` that can be hidden. The clients, fetch-event-source and ResponseError are the packages' own code.
import { existsSync, unlinkSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import packages from './packages.cjs';

const { installed, fileOf } = packages;

class HideableDocument extends EventTarget {
  hidden = false;

  show(isShown) {
    this.hidden = !isShown;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}

globalThis.window = { setTimeout, clearTimeout, fetch };
globalThis.document = new HideableDocument();

const { TechDocsClient, TechDocsStorageClient } = await import(
  pathToFileURL(fileOf('@backstage/plugin-techdocs', 'dist/client.esm.js')).href
);
const { ConfigReader } = installed('@backstage/config');
const { ResponseError } = installed('@backstage/errors');

const { base, token, config = {}, calls } = JSON.parse(process.argv[2]);
const sent = [];
const options = {
  configApi: new ConfigReader(config),
  discoveryApi: { getBaseUrl: async () => base },
  fetchApi: {
    // What core-app-api's fetch API does for a signed-in user.
    fetch: async (url, init = {}) => {
      const headers = { ...init.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
      sent.push({ url: String(url), lastEventId: headers['last-event-id'] ?? null });
      return fetch(url, { ...init, headers });
    },
  },
};
const client = new TechDocsClient(options);
const storage = new TechDocsStorageClient(options);

async function sync(entity, onLine = () => {}) {
  const lines = [];
  const before = sent.length;
  const result = await storage.syncEntityDocs(entity, line => {
    lines.push(line);
    onLine(lines.length);
  });
  return { result, lines, requests: sent.slice(before) };
}

async function syncHidden(entity, gate) {
  let hidden = false;
  return sync(entity, async () => {
    if (hidden) return;
    hidden = true;
    document.show(false);
    // The build goes on, and ends, while nobody listens.
    if (existsSync(gate)) unlinkSync(gate);
    await after(3000);
    document.show(true);
  });
}

const METHODS = {
  metadata: entity => client.getTechDocsMetadata(entity),
  entity: entity => client.getEntityMetadata(entity),
  page: (entity, path) => storage.getEntityDocs(entity, path),
  baseUrl: (old, entity, path) => storage.getBaseUrl(old, entity, path),
  storageUrl: () => storage.getStorageUrl(),
  builder: () => storage.getBuilder(),
  sync,
  syncHidden,
};

const results = [];
for (const [method, ...values] of calls) {
  try {
    results.push({ value: await METHODS[method](...values) });
  } catch (error) {
    const { name, message, statusCode, body, cause } = error;
    const isResponseError = error instanceof ResponseError;
    results.push({
      error: { name, message, isResponseError, statusCode, body, cause: cause && { name: cause.name, message: cause.message } },
    });
  }
}
process.stdout.write(JSON.stringify(results));
// An event stream that was left open does not keep this process.
process.exit(0);
