// Calls the unmodified clients of @backstage/plugin-techdocs, as the frontend does, and prints what they return.
//
//   node clients.mjs CALLS        CALLS: {"base": URL of TechDocs, "token": TOKEN, "config": {}, "calls": [[method, ...], ...]}
//
// Prints a JSON list with one entry per call: {"value": ...} or {"error": {name, message, ...}}. A call is one of
//   ["metadata", entity] ["entity", entity] ["page", entity, path] ["baseUrl", old, entity, path] ["storageUrl"] ["builder"]
//   ["sync", entity]                         value: {result, lines, requests}
//   ["sync", entity, {gate, published}]      hides the tab after the first line, and shows it again: with a URL `published`
//                                            when that answers, so that the build ended unseen, else at once. The file
//                                            `gate`, which the build waits for, is removed while the tab is hidden, or after it
//                                            is shown.
//
// The environment of a browser that the clients use and Node lacks is made here: `window` with timers, and a
// `document` that can be hidden. The clients, fetch-event-source and ResponseError are the packages' own code.
import { unlinkSync } from 'node:fs';
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
      const request = { url: String(url), lastEventId: headers['last-event-id'] ?? null, answered: false };
      sent.push(request);
      const response = await fetch(url, { ...init, headers });
      request.answered = true;
      return response;
    },
  },
};
const client = new TechDocsClient(options);
const storage = new TechDocsStorageClient(options);

async function sync(entity, hide) {
  const lines = [];
  const before = sent.length;
  const result = await storage.syncEntityDocs(entity, line => {
    lines.push(line);
    if (hide && lines.length === 1) hideAndShow(hide, before).catch(error => console.error(error));
  });
  return { result, lines, requests: sent.slice(before).filter(({ url }) => url.includes('/sync/')) };
}

async function hideAndShow({ gate, published }, before) {
  document.show(false);
  // fetch-event-source takes a request that is dropped for one that failed if the next has begun before it noticed.
  await after(100);
  if (published) {
    unlinkSync(gate);
    while ((await options.fetchApi.fetch(published)).status !== 200) await after(50);
    document.show(true);
  } else {
    document.show(true);
    while (sent.slice(before).filter(request => request.answered).length < 2) await after(20);
    unlinkSync(gate);
  }
}

const METHODS = {
  metadata: entity => client.getTechDocsMetadata(entity),
  entity: entity => client.getEntityMetadata(entity),
  page: (entity, path) => storage.getEntityDocs(entity, path),
  baseUrl: (old, entity, path) => storage.getBaseUrl(old, entity, path),
  storageUrl: () => storage.getStorageUrl(),
  builder: () => storage.getBuilder(),
  sync,
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
// An event stream that was left open does not keep this process.
process.stdout.write(JSON.stringify(results), () => process.exit(0));
