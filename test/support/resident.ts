// A process that lives in a network of its own (place.ts) and is a client there, as often as it is asked: each line of standard input
// is a Wish as JSON, and each line of standard output the answer to the one of that number.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { connect } from "node:tls";
import { connectAsync, type IClientOptions } from "mqtt";

interface Base {
  readonly id: number;
  readonly port: number;
  readonly identity?: { readonly cert: string; readonly key: string };
}

/** The fingerprint of the certificate that it is shown; null when there is none. `name` is the SNI; null sends none. */
interface Shown extends Base {
  readonly kind: "shown";
  readonly name: string | null;
}

/** Whether a retained message comes back that is sent over a connection of its own; `name` is the broker's. */
interface Carries extends Base {
  readonly kind: "carries";
  readonly name: string;
  readonly ca: string;
  readonly topic: string;
}

export type Wish = Shown | Carries;

function shown({ port, name, identity }: Shown): Promise<string | null> {
  return new Promise((resolve) => {
    let fingerprint: string | null = null;
    const socket = connect({
      ...{ host: "127.0.0.1", port, rejectUnauthorized: false },
      ...(name === null ? {} : { servername: name }),
      ...(identity === undefined ? {} : { cert: readFileSync(identity.cert), key: readFileSync(identity.key) }),
    });
    socket.on("secureConnect", () => {
      fingerprint = socket.getPeerCertificate().fingerprint256 ?? null;
      socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(fingerprint));
  });
}

async function carries({ port, name, ca, identity, topic }: Carries): Promise<boolean> {
  const options: IClientOptions = {
    ...{ servername: name, ca: readFileSync(ca) },
    ...(identity === undefined ? {} : { cert: readFileSync(identity.cert), key: readFileSync(identity.key) }),
    ...{ reconnectPeriod: 0, connectTimeout: 10_000 },
  };
  const broker = `mqtts://127.0.0.1:${port}`;
  try {
    const publisher = await connectAsync(broker, options, false);
    await publisher.publishAsync(topic, "world", { qos: 1, retain: true });
    await publisher.endAsync();
    const subscriber = await connectAsync(broker, options, false);
    const payload = new Promise<string>((resolve, reject) => {
      subscriber.on("message", (_, bytes) => resolve(bytes.toString()));
      subscriber.on("close", () => reject(new Error("closed")));
    });
    await subscriber.subscribeAsync(topic);
    const isThere = (await payload) === "world";
    await subscriber.endAsync();
    return isThere;
  } catch {
    return false;
  }
}

if (import.meta.main)
  for await (const line of createInterface({ input: process.stdin })) {
    const wish = JSON.parse(line) as Wish;
    const answer = wish.kind === "shown" ? shown(wish) : carries(wish);
    void answer.then((value) => console.log(JSON.stringify({ id: wish.id, value })));
  }
