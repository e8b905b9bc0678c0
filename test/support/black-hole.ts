// A server that never answers: packets to it are lost, and nobody says so.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cleanup, temporaryDirectory, waitFor } from "./tools.ts";

/** A port that takes no connection: its listen backlog is full, so SYNs are dropped as a black hole drops them. */
export async function blackHole(host = "127.0.0.1", port = 0): Promise<number> {
  const program = `import socket, sys, time
family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
s = socket.socket(family); s.bind((sys.argv[2], int(sys.argv[3]))); s.listen(0)
c = [socket.socket(family) for _ in range(8)]
for x in c:
    x.setblocking(False); x.connect_ex(s.getsockname())
open(sys.argv[1], "w").write(str(s.getsockname()[1]) + "\\n"); time.sleep(600)`;
  const file = join(temporaryDirectory(), "port");
  const child = Bun.spawn(["python3", "-c", program, file, host, String(port)], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  cleanup(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  return waitFor("the backlog to be full", () => {
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    return text.endsWith("\n") ? Number(text) : null;
  });
}
