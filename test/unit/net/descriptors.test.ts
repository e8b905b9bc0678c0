// Without a descriptor left a dial says that, and not that the broker refuses. What Bun says then is held here too: when a Bun tells the
// truth about it, src/net/descriptors.ts has done its service.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { exec } from "../../support/tools.ts";

const NET = join(import.meta.dir, "../../../src/net");

/** Runs a program that may have 60 descriptors and has used them up; it prints one line for each thing it finds. */
async function without(program: string): Promise<string[]> {
  const whole = `
import { closeSync, openSync } from "node:fs";
import { connect } from "node:net";
const IDLE = { open() {}, data() {}, close() {}, error() {} };
const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: IDLE });
const taken = [];
const fill = () => { try { for (;;) taken.push(openSync("/dev/null", "r")); } catch {} };
${program}
process.exit();`;
  const result = await exec(["sh", "-c", 'ulimit -n 60 && exec "$@"', "sh", process.execPath, "-e", whole]);
  expect(result).toMatchObject({ code: 0, stderr: "" });
  return result.stdout.trimEnd().split("\n");
}

test("it is found out by trying", async () => {
  const lines = await without(`
const { isOutOfDescriptors } = await import("${NET}/descriptors.ts");
console.log(isOutOfDescriptors());
fill();
console.log(isOutOfDescriptors());
closeSync(taken.pop());
console.log(isOutOfDescriptors());`);
  expect(lines).toEqual(["false", "true", "false"]);
});

test("both ways to dial call it by its name", async () => {
  const lines = await without(`
const [{ Dialer }, { Deadlines }] = [await import("${NET}/dial.ts"), await import("${NET}/deadlines.ts")];
const dialer = new Dialer(new Deadlines());
const dial = () => new Promise((resolve) => dialer.dial("127.0.0.1", server.port, 5000, -1, {
  onDialOpen: (socket) => { socket.terminate(); resolve("open"); },
  onDialFailed: resolve,
}));
console.log(await dial());
fill();
console.log(await dial());
console.log(await dial());
while (taken.length > 0) closeSync(taken.pop());
console.log(await dial());`);
  expect(lines).toEqual(["open", "descriptors", "descriptors", "open"]);
});

test("fact 14: Bun calls a dial without a descriptor refused, as node:net in it does", async () => {
  const lines = await without(`
fill();
await Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: { ...IDLE, connectError: (_, error) => console.log(error.code) } }).catch(() => {});
await new Promise((done) => connect({ host: "127.0.0.1", port: server.port }).on("error", (error) => { console.log(error.code); done(); }));`);
  expect(lines).toEqual(["ECONNREFUSED", "ECONNREFUSED"]);
});
