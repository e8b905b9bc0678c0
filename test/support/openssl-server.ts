// `openssl s_server` as a TLS server, for what Sluice itself would never do.

import type { Pair } from "./certs.ts";
import { canConnect } from "./mosquitto.ts";
import { cleanup, freePort, waitFor } from "./tools.ts";

/** Serves `pair` until the test file is over; `args` are further options of s_server. Resolves to the port. */
export async function opensslServer(pair: Pair, args: readonly string[] = [], host = "127.0.0.1"): Promise<number> {
  const port = await freePort();
  const accept = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const child = Bun.spawn(
    ["openssl", "s_server", "-accept", accept, "-cert", pair.cert, "-key", pair.key, "-rev", ...args],
    { stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  );
  cleanup(() => child.kill("SIGKILL"));
  await waitFor("s_server to listen", async () => {
    if (child.exitCode !== null) throw new Error(`s_server: ${await new Response(child.stderr).text()}`);
    return canConnect(host, port);
  });
  return port;
}
