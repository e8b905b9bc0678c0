// Where every process of Sluice begins: a worker, the embedded broker, or the command that was typed.

import { ROLE_VARIABLE } from "./system/spawn.ts";

const role = process.env[ROLE_VARIABLE];
delete process.env[ROLE_VARIABLE];

// Each role loads only what it needs: a worker has no use for the master's libraries, and pays for them in memory.
if (role === "worker") (await import("./proxy/worker.ts")).runWorker();
else if (role === "broker") (await import("./broker/embedded.ts")).runBroker();
else {
  const code = await (await import("./cli/program.ts")).runCommand(process.argv.slice(2));
  if (code !== null) process.exit(code);
}
