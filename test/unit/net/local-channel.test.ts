// What masters say to each other arrives whole and in order, and only from those who know the secret.

import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { type Channel, dialChannel, serveChannels } from "../../../src/net/local-channel.ts";
import { cleanup, waitFor } from "../../support/tools.ts";

async function served() {
  const channels: Channel[] = [];
  const server = await serveChannels((channel) => channels.push(channel));
  cleanup(() => server.close());
  return { ...server, channels };
}

/** Somebody on this machine who sends whatever. */
async function stranger(
  name: string,
  ...writes: (string | Buffer)[]
): Promise<{ socket: Socket; isClosed: () => boolean }> {
  const socket = connect(`\0${name}`);
  let closed = false;
  socket.on("error", () => {}).on("close", () => (closed = true));
  await new Promise((resolve) => socket.once("connect", resolve));
  for (const each of writes) socket.write(each);
  return { socket, isClosed: () => closed };
}

test("messages arrive in order, large ones whole, and those that come before anybody listens are kept", async () => {
  const { address, channels } = await served();
  const dialled = await dialChannel(address);
  const large = "x".repeat(5_000_000);
  for (const message of [{ n: 1 }, { n: 2, large }, { n: 3 }]) dialled.send(message);
  const channel = await waitFor("the channel", () => channels[0] ?? null);
  const seen: { n: number; large?: string }[] = [];
  let ended = 0;
  channel.listen(
    (message) => seen.push(message as { n: number }),
    () => ended++,
  );
  await waitFor("all of them", () => seen.length === 3);
  expect(seen.map(({ n }) => n)).toEqual([1, 2, 3]);
  expect(seen[1]!.large === large).toBe(true);
  channel.send({ back: "é" });
  const back: unknown[] = [];
  dialled.listen(
    (message) => back.push(message),
    () => {},
  );
  await waitFor("the answer", () => back.length === 1);
  expect(back).toEqual([{ back: "é" }]);
  dialled.end();
  await waitFor("the end", () => ended === 1);
  channel.send({ lost: true });
});

test("who does not know the secret is closed, and never heard", async () => {
  const { address, channels } = await served();
  const wrong = address.secret.replace(/^./, (first) => (first === "0" ? "1" : "0"));
  const strangers = [
    await stranger(address.name, `${wrong}\n{"type":"kill"}\n`),
    await stranger(address.name, "\n"),
    await stranger(address.name, "x".repeat(100_000)),
    await stranger(address.name, Buffer.from([0xff, 0, 10])),
  ];
  for (const { isClosed } of strangers) await waitFor("it to be closed", isClosed);
  expect(channels).toHaveLength(0);
  // In parts it is as good.
  const { socket } = await stranger(address.name, address.secret.slice(0, 10));
  socket.write(`${address.secret.slice(10)}\n`);
  await waitFor("the channel", () => channels.length === 1);
  socket.destroy();
});

test("a crowd of strangers keeps nobody out who knows the secret, once they are closed", async () => {
  const { address, channels } = await served();
  const silent = await Promise.all(Array.from({ length: 40 }, () => stranger(address.name)));
  await waitFor("some to be closed at once", () => silent.some(({ isClosed }) => isClosed()));
  for (const { socket } of silent) socket.destroy();
  const reached = await waitFor("room", async () => {
    const channel = await dialChannel(address).catch(() => null);
    await Bun.sleep(20);
    return channels.length > 0 ? channel : null;
  });
  reached.end();
});

test("what is no JSON ends the channel", async () => {
  const { address, channels } = await served();
  const { isClosed } = await stranger(address.name, `${address.secret}\nnonsense\n`);
  await waitFor("the channel", () => channels.length === 1);
  await waitFor("its end", isClosed);
});
