// The plugin `auth`: publishes the key of user tokens, and issues them with plugin-auth-backend's own code.
//
//   GET /api/auth/issue?sub=user:default/alice&seconds=3600   a user token; with a negative time one that has expired
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { installed, fileOf } = require('./packages.cjs');

const { coreServices, createBackendPlugin } = installed('@backstage/backend-plugin-api');
const express = installed('express');
// The package does not export it, so it is taken by its path.
const { issueUserToken } = require(fileOf('@backstage/plugin-auth-backend', 'dist/identity/issueUserToken.cjs.js'));

exports.authPlugin = (keys, origin) => {
  const pem = fs.readFileSync(path.join(keys, 'users.pem'), 'utf8');
  const named = key => ({ ...key.export({ format: 'jwk' }), kid: 'users', alg: 'ES256' });
  const secret = named(crypto.createPrivateKey(pem));
  const open = named(crypto.createPublicKey(pem));

  const router = express.Router();
  router.get('/.well-known/jwks.json', (_request, response) => response.json({ keys: [open] }));
  router.get('/issue', async (request, response) => {
    const sub = String(request.query.sub);
    const { token } = await issueUserToken({
      issuer: `${origin}/api/auth`,
      key: secret,
      keyDurationSeconds: Number(request.query.seconds),
      logger: { info() {} },
      omitClaimsFromToken: ['ent'],
      params: { claims: { sub, ent: [sub] } },
    });
    response.json({ token });
  });

  return createBackendPlugin({
    pluginId: 'auth',
    register(env) {
      env.registerInit({
        deps: { http: coreServices.httpRouter },
        async init({ http }) {
          http.use(router);
          http.addAuthPolicy({ path: '/', allow: 'unauthenticated' });
        },
      });
    },
  });
};
