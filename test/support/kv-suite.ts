// What `sluice kv` does with every store: an import is in force as a whole, an export is what was imported.

import { expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { Diagnostics } from "../../src/config/diagnostics.ts";
import { parseDynamic } from "../../src/config/dynamic.ts";
import type { Engine } from "../../src/providers/engine.ts";
import { sluiceCli } from "./cli.ts";
import { Followed } from "./followed.ts";
import type { KeyServer } from "./key-store.ts";
import { temporaryDirectory } from "./tools.ts";

export interface KvStore {
  /** As in `providers`. */
  readonly name: string;
  readonly server: KeyServer;
  /** Its section of `providers`, without the root key. */
  readonly config: object;
  engine(rootKey: string): Engine;
  /** More than this store takes in one transaction. */
  readonly routers: number;
}

const configuration = (routers: number, port = 1883) => ({
  tcp: {
    routers: Object.fromEntries(
      Array.from({ length: routers }, (_, n) => [
        `r${n}`,
        { rule: `HostSNI(\`r${n}.example.com\`)`, entryPoints: ["mqtts"], service: `s${n}`, tls: {} },
      ]),
    ),
    services: Object.fromEntries(
      Array.from({ length: routers }, (_, n) => [
        `s${n}`,
        { loadBalancer: { servers: [{ address: `h:${port}` }, { address: "i:1" }], healthCheck: { interval: "30s" } } },
      ]),
    ),
  },
  tls: { options: { default: { minVersion: "VersionTLS13", alpnProtocols: ["mqtt"] } } },
});

let roots = 0;

export function kvSuite({ name, server, config, engine, routers }: KvStore): void {
  const made = () => {
    const directory = temporaryDirectory();
    const rootKey = `imports/${name.toLowerCase()}${++roots}`;
    const file = join(directory, "sluice.yml");
    writeFileSync(
      file,
      JSON.stringify({ entryPoints: { mqtts: { address: ":8883" } }, providers: { [name]: { ...config, rootKey } } }),
    );
    const path = (of: string, content: object) => {
      writeFileSync(join(directory, of), stringify(content));
      return join(directory, of);
    };
    const run = (...args: readonly string[]) => sluiceCli(["kv", ...args, `--configFile=${file}`], { cwd: directory });
    const change = (changes: Readonly<Record<string, string | null>>) =>
      server.change(Object.fromEntries(Object.entries(changes).map(([key, value]) => [`${rootKey}/${key}`, value])));
    return { directory, rootKey, path, run, change };
  };
  const meaningOf = (text: string) => {
    const file = parseDynamic("x.yml", text, new Diagnostics());
    return JSON.parse(JSON.stringify(file!.value));
  };

  test(`${name}: what is imported is exported, is there already, and changes only where it is another`, async () => {
    const { directory, rootKey, path, run, change } = made();
    const place = `${name.toLowerCase()} ${rootKey}`;
    const file = path("routes.yml", configuration(3));
    const dry = await run("import", file, "--dryRun");
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    expect(dry.stdout).toContain(`+ ${place}/tcp/routers/r0/rule = HostSNI(\`r0.example.com\`)\n`);
    expect(dry.stdout).toContain("Would be written: ");
    expect((await run("export")).stderr).toContain(`there is nothing below ${rootKey}`);
    expect(await run("import", file)).toMatchObject({ code: 0, stderr: "" });
    const copy = join(directory, "copy.yml");
    expect(await run("export", copy)).toMatchObject({ code: 0, stderr: "" });
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    expect(meaningOf(readFileSync(copy, "utf8"))).toEqual(meaningOf(readFileSync(file, "utf8")));
    expect((await run("export", copy)).code).toBe(1);
    expect((await run("import", copy)).stdout).toBe("The store has all of it already.\n");
    await change({
      "tcp/services/theirs/loadbalancer/servers/0/address": "t:1",
      "http/routers/web/rule": "Host(`web`)",
    });
    const other = await run("import", path("other.yml", configuration(2, 1884)));
    expect(other.stdout).toContain(`~ ${place}/tcp/services/s0/loadBalancer/servers/0/address = h:1884 (was h:1883)\n`);
    expect(other.stdout).toContain(
      "0 keys added, 2 changed, 0 removed. 3 parts that only the store has stay (--prune removes): tcp.",
    );
    const pruned = await run("import", join(directory, "other.yml"), "--prune");
    expect(pruned.stdout).toContain(`- ${place}/tcp/services/theirs/loadbalancer/servers/0/address\n`);
    expect(pruned.stdout).not.toContain("http");
    expect(meaningOf((await run("export")).stdout)).toEqual(
      meaningOf(readFileSync(join(directory, "other.yml"), "utf8")),
    );
  });

  test(`${name}: an import with a mistake writes nothing, and one into a store that is away says so`, async () => {
    const { path, run } = made();
    const wrong = await run("import", path("wrong.yml", { tcp: { services: { s: { loadBalancr: {} } } } }));
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain("Nothing is written");
    await server.kill();
    const away = await run("import", path("routes.yml", configuration(1)));
    await server.run();
    expect(away.code).toBe(1);
    expect(away.stderr).toStartWith(`${name.toLowerCase()}: `);
    expect((await run("export")).stdout).toBe("{}\n");
  });

  test(`${name}: an import of many transactions is seen as one, and one that was killed is completed`, async () => {
    const { path, run, change, rootKey } = made();
    const followed = Followed.start(engine(rootKey));
    await followed.until("nothing", {});
    const file = path("many.yml", configuration(routers));
    expect(await run("import", file)).toMatchObject({ code: 0, stderr: "" });
    const keys = routers * 7 + 2;
    await followed.untilSo("all of it", (state) => Object.keys(state).length === keys);
    const halves = followed.states.filter((state) => {
      const count = Object.keys(state).length;
      return count > 0 && count < keys && state.import === undefined;
    });
    expect(halves).toEqual([]);
    await change({ import: "2026-01-01T00:00:00.000Z", "tcp/routers/r1/rule": null });
    const refused = await run("import", file);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("--resume");
    const resumed = await run("import", file, "--resume");
    expect(resumed.stdout).toContain("1 key added, 0 changed, 0 removed");
    await followed.untilSo("the end of the mark", (state) => state.import === undefined);
    expect(Object.keys(followed.now!)).toHaveLength(keys);
  });
}
