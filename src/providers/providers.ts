// The providers that a configuration has.

import type { StaticConfig } from "../config/static.ts";
import type { Engine } from "./engine.ts";
import { FileProvider } from "./file.ts";
import type { Provider } from "./provider.ts";
import type { RemoteOptions } from "./remote.ts";
import { storesOf } from "./stores.ts";

export interface ProviderOptions {
  /** They are asked once, look for no change and write nothing. */
  readonly once?: boolean;
  /** A provider whose routes are kept elsewhere is there again, after so many milliseconds. */
  readonly onBack?: (name: string, awayMs: number) => void;
}

/** Those of the static configuration, not started. */
export function providersOf(config: StaticConfig, { once = false, onBack }: ProviderOptions = {}): Provider[] {
  const { file, cache = null } = config.providers;
  const entryPoints = new Set([...config.entryPoints.values()].flatMap(({ name, admin }) => (admin ? [] : [name])));
  const options = { entryPoints, cache, once, ...(onBack !== undefined && { onBack }) };
  return [
    ...(file === undefined ? [] : [new FileProvider({ ...file, poll: file.poll ?? null }, once)]),
    ...remoteOf(enginesOf(config), options),
  ];
}

/** What only some configurations need is loaded with them: the rest would have it in memory for nothing. */
function remoteOf(engines: readonly Engine[], options: RemoteOptions): Provider[] {
  if (engines.length === 0) return [];
  const { RemoteProvider } = require("./remote.ts") as typeof import("./remote.ts");
  return engines.map((engine) => new RemoteProvider(engine, options));
}

function enginesOf(config: StaticConfig): Engine[] {
  const { docker, swarm, redis, http } = config.providers;
  const engines = storesOf(config);
  if (redis !== undefined) {
    const { RedisEngine } = require("./redis/engine.ts") as typeof import("./redis/engine.ts");
    engines.push(new RedisEngine(redis));
  }
  if (http !== undefined) {
    const { HttpEngine } = require("./http/engine.ts") as typeof import("./http/engine.ts");
    engines.push(new HttpEngine(http));
  }
  if (docker === undefined && swarm === undefined) return engines;
  const { dockerEngine, swarmEngine } = require("./docker/make.ts") as typeof import("./docker/make.ts");
  if (swarm !== undefined) engines.unshift(swarmEngine(swarm));
  if (docker !== undefined) engines.unshift(dockerEngine(docker));
  return engines;
}
