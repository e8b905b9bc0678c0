// Lists of networks from files: hot, and a mistake in one never lets in who was out before.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority } from "../support/certs.ts";
import { tcpServer, tlsClient } from "../support/clients.ts";
import { Sluice } from "../support/sluice.ts";
import { temporaryDirectory } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const server = await tcpServer((socket) => socket.write("hello"));
const directory = temporaryDirectory();
const [denied, allowed] = [join(directory, "denied.txt"), join(directory, "allowed.txt")];
writeFileSync(denied, "192.0.2.0/24\n");
writeFileSync(allowed, "127.0.0.0/8\n");

const sluice = await Sluice.start({
  workers: 2,
  dynamic: `
tcp:
  middlewares:
    denied: { ipDenyList: { sourceFile: ${denied} } }
    allowed: { ipAllowList: { sourceRange: [192.0.2.0/24], sourceFile: ${allowed} } }
    here: { ipDenyList: { sourceRange: [127.0.0.1] } }
  routers:
    denied: { rule: "HostSNI(\`denied.test\`)", service: s, tls: {}, middlewares: [denied] }
    allowed: { rule: "HostSNI(\`allowed.test\`)", service: s, tls: {}, middlewares: [allowed] }
    here: { rule: "HostSNI(\`here.test\`)", service: s, tls: {}, middlewares: [here] }
  services: { s: { loadBalancer: { servers: [{ port: ${server.port} }] } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`,
});

const come = (name: string) =>
  tlsClient(sluice.port, { servername: `${name}.test` }).then(
    (socket) => {
      socket.destroy();
      return "let in";
    },
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );

/** Writes a file, and gives what becomes of clients when it is in force. */
async function after(file: string, text: string, name: string): Promise<string> {
  await sluice.reload(() => writeFileSync(file, text));
  return come(name);
}

const REFUSED = expect.stringContaining("ACCESS_DENIED");

test("a deny list refuses who is on it with the alert access_denied, and nobody else", async () => {
  expect(await come("here")).toEqual(REFUSED);
  expect(await sluice.access((each) => each.sni === "here.test")).toMatchObject({ reason: "address-denied" });
  expect(await come("denied")).toBe("let in");
});

test("a deny list is read again when it changes, and a mistake in it lets in nobody who was out", async () => {
  expect(await after(denied, "192.0.2.0/24\n127.0.0.0/8 # here\n", "denied")).toEqual(REFUSED);
  expect(await after(denied, "192.0.2.0/24\n127.0.0.0/8x\n", "denied")).toEqual(REFUSED);
  await sluice.logged("127.0.0.0/8x");
  // It is still wrong, and somebody adds a line.
  expect(await after(denied, "192.0.2.0/24\n198.51.100.1\n127.0.0.0/8x\n", "denied")).toEqual(REFUSED);
  expect(await after(denied, "192.0.2.0/24\n", "denied")).toBe("let in");
});

test("a deny list that is emptied goes on as it was, and one with a comment holds nobody", async () => {
  expect(await after(denied, "127.0.0.1\n", "denied")).toEqual(REFUSED);
  writeFileSync(denied, "");
  await sluice.logged("it is empty");
  expect(await come("denied")).toEqual(REFUSED);
  expect(await after(denied, "# nobody\n", "denied")).toBe("let in");
});

test("a line of an allow list that cannot be read lets nobody in", async () => {
  expect(await come("allowed")).toBe("let in");
  expect(await after(allowed, "198.51.100.1\n127.0.0.0/8x\n", "allowed")).toEqual(REFUSED);
  expect(await after(allowed, "127.0.0.1\n", "allowed")).toBe("let in");
});
