// The tests whose sizes npm test makes smaller, at their full size.
process.env.FULL_SIZE = "1";

export {};

await import("../unit/cli/print.test.ts");
await import("../unit/compile/compile.test.ts");
await import("../unit/compile/shadows.test.ts");
await import("../unit/config/overrides.test.ts");
await import("../unit/config/schema.test.ts");
await import("../unit/keystores/forged.test.ts");
await import("../e2e/prometheus.test.ts");
