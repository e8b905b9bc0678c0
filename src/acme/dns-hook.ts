// DNS-01 by a command of the operator's: `HOOK present NAME VALUE` puts a TXT record in place, `HOOK cleanup NAME VALUE` takes it away.

import { createHash } from "node:crypto";
import type { Responder } from "./obtain.ts";

/** A hook that waits for its DNS provider may take its time. Milliseconds. */
const HOOK_MS = 5 * 60_000;
/** The authority looks from several places, and resolvers may have remembered that there was nothing. */
const PATIENCE_MS = 5 * 60_000;
/** How long its last words are waited for. Milliseconds. */
const LAST_WORDS_MS = 500;
/** What a hook says when it fails, for the log. Characters. */
const MAX_OUTPUT = 300;

/** `delayMs` is waited after the record is in place, for providers that take a while to publish it. */
export function dnsHook(command: string, delayMs: number): Responder {
  return {
    type: "dns-01",
    patienceMs: PATIENCE_MS,
    present: async (name, _, keyAuthorization) => {
      // RFC 8555 8.4: the record of a wildcard is that of the name itself.
      const record = `_acme-challenge.${name}`;
      const value = createHash("sha256").update(keyAuthorization).digest("base64url");
      await run(command, "present", record, value);
      if (delayMs > 0) await new Promise((next) => setTimeout(next, delayMs));
      return () => run(command, "cleanup", record, value);
    },
  };
}

async function run(command: string, ...args: string[]): Promise<void> {
  let child: ReturnType<typeof spawn>;
  try {
    child = spawn(command, args);
  } catch (error) {
    throw new Error(
      `the hook ${command} cannot be started: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`,
    );
  }
  let output = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const part of child.stderr as ReadableStream<Uint8Array>)
      output = (output + decoder.decode(part, { stream: true })).slice(-MAX_OUTPUT);
  })().catch(() => {});
  const code = await child.exited;
  if (code === 0) return;
  // What the hook has started in the background may hold its output open.
  await Promise.race([reading, new Promise((next) => setTimeout(next, LAST_WORDS_MS))]);
  const said = output.trim().replace(/[^\x20-\x7e\u00a1-\uffff]+/g, " ");
  const how =
    child.signalCode === "SIGKILL" ? `did not end within ${HOOK_MS / 60_000} minutes` : `ended with exit code ${code}`;
  throw new Error(`the hook ${command} ${how}${said === "" ? "" : `: ${said}`}`);
}

function spawn(command: string, args: readonly string[]) {
  return Bun.spawn([command, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    timeout: HOOK_MS,
    killSignal: "SIGKILL",
  });
}
