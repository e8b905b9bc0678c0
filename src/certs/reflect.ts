// What @peculiar/x509 needs before it is loaded. A module of its own, because a bundler (npm run build:binary) calls a CommonJS package
// from the body of the module that imports it, which is after that module's other imports.

import "reflect-metadata";
