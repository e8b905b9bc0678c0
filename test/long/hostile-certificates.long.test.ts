// The fuzz of client certificates against a running Sluice, for longer.
process.env.FUZZ_CERTIFICATES ??= "1500";

export {};

await import("../e2e/hostile-certificates.test.ts");
