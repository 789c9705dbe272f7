// The plugin `search`: hands out tokens that backend-defaults' auth service issues for it, and runs the real
// TechDocs collator with the backend's real discovery, catalog client and auth.
//
//   GET /api/search/token?for=techdocs              a service token of `search` for a plugin
//   GET /api/search/token?for=techdocs&user=TOKEN   the same on behalf of a user
//   GET /api/search/limited?user=TOKEN              the limited user token, which is what the cookie holds
//   GET /api/search/collate                         all documents that the collator yields
'use strict';
const { installed, fileOf } = require('./packages.cjs');

const { coreServices, createBackendPlugin } = installed('@backstage/backend-plugin-api');
const { catalogServiceRef } = installed('@backstage/plugin-catalog-node');
const express = installed('express');
// The package does not export the factory, only the module that schedules it, so it is taken by its path.
const { DefaultTechDocsCollatorFactory } = require(
  fileOf('@backstage/plugin-search-backend-module-techdocs', 'dist/collators/DefaultTechDocsCollatorFactory.cjs.js'),
);

exports.searchPlugin = () =>
  createBackendPlugin({
    pluginId: 'search',
    register(env) {
      env.registerInit({
        deps: {
          http: coreServices.httpRouter,
          auth: coreServices.auth,
          config: coreServices.rootConfig,
          discovery: coreServices.discovery,
          logger: coreServices.logger,
          catalog: catalogServiceRef,
        },
        async init({ http, auth, config, discovery, logger, catalog }) {
          const router = express.Router();
          router.get('/token', async (request, response) => {
            const { for: targetPluginId, user } = request.query;
            const onBehalfOf = user ? await auth.authenticate(user) : await auth.getOwnServiceCredentials();
            response.json(await auth.getPluginRequestToken({ onBehalfOf, targetPluginId }));
          });
          router.get('/limited', async (request, response) => {
            response.json(await auth.getLimitedUserToken(await auth.authenticate(request.query.user)));
          });
          router.get('/collate', async (_request, response) => {
            const factory = DefaultTechDocsCollatorFactory.fromConfig(config, { discovery, logger, auth, catalog });
            const documents = [];
            for await (const document of await factory.getCollator()) documents.push(document);
            response.json({ documents });
          });
          http.use(router);
          http.addAuthPolicy({ path: '/', allow: 'unauthenticated' });
        },
      });
    },
  });
