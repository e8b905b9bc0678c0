// A client of TLS within this process, for the many handshakes in which openssl itself is not the point: what it finds is what
// s_client would print, for a small part of what a process costs.

import { readFileSync, writeFileSync } from "node:fs";
import { connect, type TLSSocket } from "node:tls";
import { GREETING, type SClient } from "./openssl.ts";

const TIMEOUT_MS = 15_000;
/** Reasons of OpenSSL's and BoringSSL's errors from here on are alerts that the other side sent. */
const FIRST_ALERT = 1000;
const REASON_MASK = 0xfff;

type Options = Record<string, unknown>;

/** Those of s_client that it knows; each but the versions has a value. */
const OPTIONS: Readonly<Record<string, (value: string, before: Options) => Options>> = {
  "-tls1_2": () => ({ minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }),
  "-tls1_3": () => ({ minVersion: "TLSv1.3", maxVersion: "TLSv1.3" }),
  "-cert": (file) => ({ cert: readFileSync(file, "utf8") }),
  "-cert_chain": (file, { cert }) => ({ cert: `${cert}${readFileSync(file, "utf8")}` }),
  "-key": (file) => ({ key: readFileSync(file, "utf8") }),
  "-alpn": (names) => ({ ALPNProtocols: names.split(",") }),
  "-bind": (address) => ({ localAddress: address }),
  "-sess_in": (file) => ({ session: readFileSync(file) }),
  "-sess_out": (file) => ({ sessionFile: file }),
};

function optionsOf(args: readonly string[]): Options {
  let options: Options = {};
  for (let index = 0; index < args.length; index++) {
    const name = args[index]!;
    const option = OPTIONS[name];
    if (option === undefined) throw new Error(`${name} is for sClient() of openssl.ts`);
    options = { ...options, ...option(name.startsWith("-tls") ? "" : args[++index]!, options) };
  }
  return options;
}

/**
 * Connects, waits until a Backend has greeted it or it is closed, and says what was negotiated. `name` is the SNI; null sends none.
 * `args` are options of s_client, of which a few are known. A session that -sess_out writes is one for -sess_in of this client alone.
 */
export function tlsHandshake(port: number, name: string | null, args: readonly string[] = []): Promise<SClient> {
  const { sessionFile, ...options } = optionsOf(args);
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({
      ...{ host: "127.0.0.1", port, rejectUnauthorized: false },
      ...(name === null ? {} : { servername: name }),
      ...options,
    } as never);
    let [text, agreed, alert]: [string, Partial<SClient>, number | null] = ["", {}, null];
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`the client neither reached a backend nor was closed: ${text}`));
    }, TIMEOUT_MS);
    socket.on("session", (session: Buffer) => {
      if (typeof sessionFile === "string") writeFileSync(sessionFile, session);
    });
    socket.on("secureConnect", () => {
      agreed = {
        version: socket.getProtocol(),
        cipher: socket.getCipher().name,
        alpn: socket.alpnProtocol || null,
        reused: socket.isSessionReused(),
        certificate: socket.getPeerCertificate().subject.CN as string,
      };
    });
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (GREETING.test(text)) socket.end();
    });
    socket.on("error", (error: Error) => {
      text += `\n${error.message}`;
      const code = /^error:([0-9a-f]{8}):/i.exec(error.message)?.[1];
      const reason = code === undefined ? 0 : Number.parseInt(code, 16) & REASON_MASK;
      if (reason >= FIRST_ALERT) alert = reason - FIRST_ALERT;
    });
    socket.on("close", () => {
      clearTimeout(timer);
      const nothing = { version: null, cipher: null, alpn: null, reused: false, certificate: null, group: null };
      resolve({ ...nothing, ...agreed, reached: GREETING.exec(text)?.[1] ?? null, alert, text });
    });
  });
}
