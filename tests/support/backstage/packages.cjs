// Backstage's packages, from the folder they are installed in: BACKSTAGE_PACKAGES.
//
// The scripts beside this file live with the tests, the packages in the user's cache.
'use strict';
const { createRequire } = require('node:module');
const path = require('node:path');

const folder = process.env.BACKSTAGE_PACKAGES;
if (!folder) throw new Error('BACKSTAGE_PACKAGES names no folder');

/** Require a module of an installed package, by its public name. */
const installed = createRequire(path.join(folder, 'package.json'));

/** Return where a file of an installed package is, also one that the package does not export. */
const fileOf = (name, file) => path.join(folder, 'node_modules', name, file);

module.exports = { installed, fileOf };
