// A client that vanishes without a word is let go by TCP keep-alive, which costs no system call per connection.

import { expect, test } from "bun:test";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cable } from "../support/cable.ts";
import { tlsClient } from "../support/clients.ts";
import { echoEdge } from "../support/echo.ts";
import { childrenOf } from "../support/proc.ts";
import { Sluice } from "../support/sluice.ts";
import { cleanup, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const { backend, dynamic } = await echoEdge();
const keepAlive = (duration: string) => `    transport: { keepAlive: ${duration} }`;

test("a client that has vanished is let go, whether it was silent or was being sent something", async () => {
  const { us, inside, pull } = await cable();
  const door = `${us}:${await freePort()}`;
  const sluice = await Sluice.start({
    dynamic,
    entryPoint: keepAlive("2s"),
    env: { SLUICE_ENTRYPOINTS_MQTTS_ADDRESS: door },
  });
  for (let i = 0; i < 2; i++) {
    const client = Bun.spawn(
      [...inside, "openssl", "s_client", "-quiet", "-connect", door, "-servername", "localhost"],
      {
        stdio: ["pipe", "pipe", "ignore"],
      },
    );
    cleanup(() => client.kill("SIGKILL"));
    client.stdin.write("hello\n");
    await client.stdin.flush();
    const { value } = await client.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toBe("hello\n");
  }
  expect(await sluice.metric("sluice_entrypoint_open_connections")).toBe(2);
  await pull();
  [...backend.sockets][0]!.write("from the broker");
  await waitFor("both to be let go", async () => (await sluice.metric("sluice_entrypoint_open_connections")) === 0);
  const lines = await waitFor("both lines", () => (sluice.accesses.length === 2 ? sluice.accesses : null));
  const ends = lines.map(({ reason, bytesIn, bytesOut }) => [reason, bytesIn, bytesOut]).sort();
  expect(ends).toEqual([
    ["client-reset", 6, 21],
    ["client-reset", 6, 6],
  ]);
});

test("it is set on the listening sockets, by the master alone: no connection costs a system call for it", async () => {
  const off = await freePort();
  const file = join(temporaryDirectory(), "strace");
  const sluice = await Sluice.start({
    dynamic,
    entryPoint: `${keepAlive("2m")}\n  off:\n    address: "127.0.0.1:${off}"\n${keepAlive("0")}`,
    // The keep-alive towards brokers is a setting of its own, made on each connection.
    extra: "tcpServersTransport: { dialKeepAlive: -1s }",
    within: ["strace", "-f", "-qq", "-e", "trace=listen,accept4,setsockopt", "-o", file],
  });
  for (const port of [sluice.port, off]) {
    for (let i = 0; i < 20; i++) {
      const socket = await tlsClient(port);
      socket.write("hello");
      await once(socket, "data");
      socket.destroy();
    }
  }
  await waitFor("all to be over", () => sluice.accesses.length === 40);
  // strace passes no signal on.
  process.kill(childrenOf(sluice.process.pid)[0]!, "SIGTERM");
  expect(await sluice.process.exited).toBe(0);
  const lines = readFileSync(file, "utf8").split("\n");
  const threadOf = (line: string) => /^\d+/.exec(line)?.[0];
  const [master, worker] = ["listen(", "accept4("].map((call) =>
    threadOf(lines.findLast((line) => line.includes(call))!),
  );
  expect(worker).not.toBe(master);
  // "1234  setsockopt(7, SOL_TCP, TCP_KEEPIDLE, [60], 4) = 0"
  const settings = lines.flatMap((line) => {
    const found = /^(\d+) +setsockopt\((\d+), SOL_\w+, (SO_KEEPALIVE|TCP_KEEP\w+|TCP_USER_TIMEOUT), \[(\d+)\]/.exec(
      line,
    );
    return found === null ? [] : [found.slice(1)];
  });
  expect(new Set(settings.map(([thread]) => thread))).toEqual(new Set([master]));
  const byListener = new Map<string, string[]>();
  for (const [, fd, option, value] of settings)
    byListener.set(fd!, [...(byListener.get(fd!) ?? []), `${option} ${value}`]);
  expect([...byListener.values()]).toEqual([
    ["SO_KEEPALIVE 1", "TCP_USER_TIMEOUT 120000", "TCP_KEEPIDLE 60", "TCP_KEEPINTVL 20", "TCP_KEEPCNT 3"],
    ["SO_KEEPALIVE 0", "TCP_USER_TIMEOUT 0"],
  ]);
}, 120_000);
