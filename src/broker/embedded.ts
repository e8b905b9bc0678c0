// The embedded broker: aedes, a process of its own, for trying Sluice out and for tests. It speaks MQTT 3.1 and 3.1.1.

import { createServer } from "node:net";
import { Aedes } from "aedes";

export type ToBroker = { readonly type: "start"; readonly host: string; readonly port: number };
export type FromBroker =
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "failed"; readonly code: string | undefined; readonly message: string };

/** Runs until the master goes or tells it to stop. */
export function runBroker(): void {
  process.on("disconnect", () => process.exit(0));
  for (const signal of ["SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) process.on(signal, () => {});
  process.on("message", (message: ToBroker) => void start(message));
}

async function start({ host, port }: ToBroker): Promise<void> {
  const send = (message: FromBroker) => process.send?.(message);
  const broker = await Aedes.createBroker();
  const server = createServer(broker.handle);
  server.on("error", ({ code, message }: NodeJS.ErrnoException) => send({ type: "failed", code, message }));
  server.listen(port, host, () => {
    const address = server.address();
    send({ type: "listening", port: typeof address === "object" && address !== null ? address.port : port });
  });
}
