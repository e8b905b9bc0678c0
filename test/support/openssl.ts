// `openssl s_client` as a client: connects, waits until a Backend has greeted it or it is closed, and says what was negotiated.

import { greeting } from "./backend.ts";

export interface SClient {
  /** The name of the backend that answered; null when the connection was refused on the way. */
  readonly reached: string | null;
  readonly version: string | null;
  readonly cipher: string | null;
  /** null when the server chose none. */
  readonly alpn: string | null;
  readonly reused: boolean;
  /** Common name of the certificate that the server showed. */
  readonly certificate: string | null;
  /** What the server's ephemeral key was, such as X25519. */
  readonly group: string | null;
  /** Number of the fatal alert that the server sent. */
  readonly alert: number | null;
  /** All that was printed, for a test that fails. */
  readonly text: string;
}

export const GREETING = new RegExp(greeting("([\\w-]+)").trimEnd());
const TIMEOUT_MS = 15_000;

/** `name` is the SNI; null sends none. `args` are further options of s_client. */
export async function sClient(port: number, name: string | null, args: readonly string[] = []): Promise<SClient> {
  const sni = name === null ? ["-noservername"] : ["-servername", name];
  const child = Bun.spawn(["openssl", "s_client", "-connect", `127.0.0.1:${port}`, ...sni, ...args], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  // Standard input stays open, for s_client leaves when it ends; the greeting comes after all session tickets.
  const stderr = new Response(child.stderr).text();
  let stdout = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    stdout += decoder.decode(chunk, { stream: true });
    if (GREETING.test(stdout)) child.stdin.end();
  }
  const code = await child.exited;
  const text = `${stdout}\n${await stderr}`;
  if (child.signalCode !== null) throw new Error(`s_client neither reached a backend nor was closed:\n${text}`);
  if (code !== 0 && !/alert|closed|errno|error:/.test(text)) throw new Error(`s_client failed with ${code}:\n${text}`);

  const find = (pattern: RegExp) => pattern.exec(text)?.[1] ?? null;
  const session = /^(New|Reused), (\S+), Cipher is (\S+)$/m.exec(text);
  const alert = find(/SSL alert number (\d+)/);
  // The first line speaks of the version that a suite appeared in, which is not the session's.
  const version = find(/^\s+Protocol\s*: (\S+)$/m) ?? session?.[2] ?? null;
  return {
    reached: GREETING.exec(text)?.[1] ?? null,
    version: session?.[3] === "(NONE)" ? null : version,
    cipher: session?.[3] === "(NONE)" ? null : (session?.[3] ?? null),
    alpn: find(/^ALPN protocol: (.+)$/m),
    reused: session?.[1] === "Reused",
    certificate: find(/^subject=.*?CN = ([^,\n]+)/m),
    group: find(/^Server Temp Key: (?:ECDH, )?([^,\n]+)/m),
    alert: alert === null ? null : Number(alert),
    text,
  };
}
