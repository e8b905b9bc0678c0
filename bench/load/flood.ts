// Connections of people who mean no good: many, held for as long as they are let, and opened again at once.
import { createServer } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Socket } from "bun";
import { Conn } from "./conn.ts";
import { emptyResult, type Job, type JobResult, type Target } from "./jobs.ts";
import { sourceOf } from "./sources.ts";

type Flood = Extract<Job, { kind: "flood" }>;

/** Dials under way at a time: more would only fill the listener's backlog, and measure the kernel. */
const MAX_DIALS = 256;
/** Between two bytes of a slow hello. */
const SLOW_MS = 1000;

/** One connection of a flood; the callbacks are called once each. */
interface Attempt {
  onOpen: () => void;
  onGone: () => void;
}

const open = new Set<{ terminate(): void }>();
let stop: () => void = () => {};

/** Ends the flood that runs. */
export function stopFlood(): JobResult {
  stop();
  return emptyResult();
}

/** Holds `count` connections until `stopFlood`, or until `tries` have been made. @returns how many were opened, and how long it took. */
export async function flood(job: Flood): Promise<JobResult> {
  const dial = await dialerOf(job);
  const start = performance.now();
  let [isOver, missing, dialling, opened] = [false, job.count, 0, 0];
  const tries = job.tries ?? Number.POSITIVE_INFINITY;
  await new Promise<void>((resolve) => {
    stop = resolve;
    const pump = (): void => {
      while (!isOver && missing > 0 && dialling < MAX_DIALS && opened < tries) {
        missing--;
        dialling++;
        let isDialling = true;
        const isUp = (): void => {
          if (isDialling) dialling--;
          isDialling = false;
        };
        dial(opened++, {
          onOpen: () => {
            isUp();
            setTimeout(pump, 0);
          },
          onGone: () => {
            isUp();
            missing++;
            if (opened >= tries && missing === job.count) resolve();
            setTimeout(pump, 0);
          },
        });
      }
    };
    pump();
  });
  isOver = true;
  for (const socket of [...open]) socket.terminate();
  return { ...emptyResult(), count: opened, seconds: (performance.now() - start) / 1000 };
}

async function dialerOf({ how, target, sources }: Flood): Promise<(index: number, attempt: Attempt) => void> {
  if (how === "handshakes") return (index, attempt) => shake(target, sourceOf(sources, index), attempt);
  const hello = how === "silent" ? null : how === "garbage" ? Buffer.from("SSH-2.0-flood\r\n") : await helloOf(target);
  return (index, attempt) => {
    const data = { attempt, hello, isSlow: how === "slow-hello", timer: null, isGone: false } satisfies Raw;
    const options = { hostname: "127.0.0.1", port: target.port, localAddress: sourceOf(sources, index), data };
    Bun.connect<Raw>({ ...options, socket: RAW } as unknown as Bun.TCPSocketConnectOptions<Raw>).catch(() => {});
  };
}

/** A whole connection as any client makes it, which leaves when it has its CONNACK. */
function shake(target: Target, from: string, { onOpen, onGone }: Attempt): void {
  const conn = new Conn(target, "flood", from);
  let isGone = false;
  const gone = (): void => {
    if (!isGone) onGone();
    isGone = true;
  };
  conn.onFail = gone;
  conn.onClose = gone;
  conn.onReady = () => {
    onOpen();
    conn.leave();
  };
  conn.dial();
}

interface Raw {
  attempt: Attempt;
  /** null: it says nothing. */
  hello: Buffer | null;
  isSlow: boolean;
  timer: ReturnType<typeof setInterval> | null;
  isGone: boolean;
}

function gone(socket: Socket<Raw>): void {
  const { data } = socket;
  open.delete(socket);
  if (data.timer !== null) clearInterval(data.timer);
  if (data.isGone) return;
  data.isGone = true;
  data.attempt.onGone();
}

const RAW = {
  open(socket: Socket<Raw>): void {
    const { data } = socket;
    open.add(socket);
    data.attempt.onOpen();
    const { hello } = data;
    if (hello === null) return;
    if (!data.isSlow) {
      socket.write(hello);
      return;
    }
    let at = 0;
    data.timer = setInterval(() => void socket.write(hello.subarray(at, ++at)), SLOW_MS);
  },
  data(): void {},
  end(socket: Socket<Raw>): void {
    socket.terminate();
    gone(socket);
  },
  close: gone,
  error: gone,
  connectError: gone,
};

/** The hello that a client of this target sends. */
function helloOf({ tls }: Target): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = createServer((socket) =>
      socket.once("data", (hello: Buffer) => {
        resolve(hello);
        socket.destroy();
        server.close();
      }),
    );
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      const name = tls?.serverName ?? "localhost";
      connectTls({ host: "127.0.0.1", port, servername: name, rejectUnauthorized: false }).on("error", () => {});
    });
  });
}
