// The floor: a bare TCP relay on Bun's sockets. No TLS, no routing, no log, no limits.
import type { Socket } from "bun";

/** The other side, and what this side did not take. */
interface Side {
  other: Socket<Side> | null;
  held: Buffer | null;
  /** It closed; a dial that was under way for it has nobody to serve. */
  gone: boolean;
}

const handlers = {
  data(socket: Socket<Side>, chunk: Buffer): void {
    const { other } = socket.data;
    if (other) forward(socket, other, chunk);
    else socket.data.held = socket.data.held ? Buffer.concat([socket.data.held, chunk]) : chunk;
  },
  drain(socket: Socket<Side>): void {
    const rest = socket.data.held;
    const { other } = socket.data;
    if (!rest || !other) return;
    socket.data.held = null;
    if (forward(other, socket, rest)) other.resume();
  },
  close(socket: Socket<Side>): void {
    socket.data.gone = true;
    socket.data.other?.end();
    socket.data.other = null;
  },
  error(): void {},
};

function forward(from: Socket<Side>, to: Socket<Side>, chunk: Buffer): boolean {
  const side = to.data;
  if (side.held) {
    side.held = Buffer.concat([side.held, chunk]);
    return false;
  }
  const taken = Math.max(0, to.write(chunk));
  if (taken === chunk.length) return true;
  side.held = chunk.subarray(taken);
  from.pause();
  return false;
}

Bun.listen<Side>({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  socket: {
    ...handlers,
    open(client: Socket<Side>): void {
      client.data = { other: null, held: null, gone: false };
      client.setNoDelay(true);
      Bun.connect<Side>({
        hostname: "127.0.0.1",
        port: Number(process.env.BACKEND),
        data: { other: client, held: null, gone: false },
        socket: {
          ...handlers,
          open(broker: Socket<Side>): void {
            broker.setNoDelay(true);
            if (client.data.gone) {
              broker.end();
              return;
            }
            const early = client.data.held;
            client.data.held = null;
            client.data.other = broker;
            if (early) forward(client, broker, early);
          },
        },
      }).catch(() => client.terminate());
    },
  },
});
