// One short connection for a question: dials, sends bytes, and hands on what comes back, until enough is there or the time is over. For
// commands that look at a server from outside; the proxy's own connections go through dial.ts.

import { lookup } from "node:dns/promises";
import { connect, isIP } from "node:net";

/** How a question ended. */
export type Asked =
  /** The receiver has enough. */
  | "done"
  | "closed"
  | "reset"
  /** The connection is open, and the time is over. */
  | "silent"
  /** No connection within the time. */
  | "no-answer"
  | "refused"
  | "unreachable"
  | { readonly other: string };

export interface Place {
  /** An IP address. */
  readonly address: string;
  readonly port: number;
}

/** `receive` says whether it has enough. `timeoutMs` bounds it all. Nothing throws. */
export function ask(
  { address, port }: Place,
  opening: Uint8Array,
  receive: (chunk: Buffer) => boolean,
  timeoutMs: number,
): Promise<Asked> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    let isOpen = false;
    const end = (asked: Asked) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(asked);
    };
    const timer = setTimeout(() => end(isOpen ? "silent" : "no-answer"), timeoutMs);
    socket.on("connect", () => {
      isOpen = true;
      socket.write(opening);
    });
    socket.on("data", (chunk: Buffer) => {
      if (receive(chunk)) end("done");
    });
    socket.on("end", () => end("closed"));
    socket.on("close", () => end("closed"));
    socket.on("error", (error: NodeJS.ErrnoException) => end(isOpen ? "reset" : failed(error)));
  });
}

function failed({ code, message }: NodeJS.ErrnoException): Asked {
  switch (code) {
    case "ECONNREFUSED":
      return "refused";
    case "ETIMEDOUT":
      return "no-answer";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EADDRNOTAVAIL":
      return "unreachable";
    default:
      return { other: code ?? message };
  }
}

export type Addresses =
  | { readonly kind: "ok"; readonly addresses: readonly string[] }
  /** There is no such name. */
  | { readonly kind: "unknown" }
  /** Whoever knows names gave no answer. */
  | { readonly kind: "no-answer" };

/** Every address of a host, in the system's order. `timeoutMs` bounds it. */
export async function addressesOf(host: string, timeoutMs: number): Promise<Addresses> {
  if (isIP(host) !== 0) return { kind: "ok", addresses: [host] };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<Addresses>((resolve) => {
    timer = setTimeout(() => resolve({ kind: "no-answer" }), timeoutMs);
  });
  const asked = lookup(host, { all: true, verbatim: true }).then(
    (found): Addresses => ({ kind: "ok", addresses: [...new Set(found.map((each) => each.address))] }),
    (error: NodeJS.ErrnoException): Addresses =>
      /EAI_AGAIN|ETIMEOUT|ESERVFAIL|ECONNREFUSED/.test(String(error.code))
        ? { kind: "no-answer" }
        : { kind: "unknown" },
  );
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
