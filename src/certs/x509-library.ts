// @peculiar/x509, loaded after the polyfill that it needs. One after the other by `await`, because imports that stand below each other
// keep no order that holds everywhere: a bundler (npm run build:binary) runs a CommonJS package after the ES modules below it, and with
// an ES module around the polyfill Bun, run from source, took x509 first in 77 of 100 starts on a busy machine.

await import("reflect-metadata");
export const x509 = await import("@peculiar/x509");

x509.cryptoProvider.set(crypto);
