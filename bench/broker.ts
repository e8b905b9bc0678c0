// A real Mosquitto, for rows in which the broker's own answers are what is timed.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, listening, startLogged } from "./proc.ts";

/** Starts one with its files in `dir`; it ends with the run. @returns its port */
export async function startMosquitto(dir: string, cpus: string | undefined): Promise<number> {
  const port = await freePort();
  const file = join(dir, "mosquitto.conf");
  writeFileSync(
    file,
    `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\nlog_type none\n`,
  );
  const path = `${process.env.PATH}:/usr/sbin`;
  const program = startLogged(["mosquitto", "-c", file], {
    log: join(dir, "mosquitto.log"),
    env: { PATH: path },
    ...(cpus !== undefined && { cpus }),
  });
  await listening(port, program);
  return port;
}
