// The engines of docker and swarm, as the static configuration describes them.

import { parseConstraints } from "../../config/providers/constraints.ts";
import { parseTemplate } from "../../config/providers/default-rule.ts";
import type { DockerConfig } from "../../config/providers/docker.ts";
import { parseDockerEndpoint } from "../../config/providers/docker-endpoint.ts";
import type { SwarmConfig } from "../../config/providers/swarm.ts";
import { DockerApi } from "./api.ts";
import { DockerEngine } from "./docker.ts";
import type { Choices } from "./give.ts";
import { SwarmEngine } from "./swarm.ts";

export function dockerEngine(config: DockerConfig): DockerEngine {
  return new DockerEngine(apiOf(config), { ...choicesOf(config), useBindPortIP: config.useBindPortIP }, config.watch);
}

export function swarmEngine(config: SwarmConfig): SwarmEngine {
  return new SwarmEngine(apiOf(config), choicesOf(config), config.watch ? config.refreshSeconds : null);
}

type Common = DockerConfig | SwarmConfig;

function apiOf({ endpoint, tls, username, password, httpClientTimeout }: Common): DockerApi {
  return new DockerApi({
    endpoint: sound(parseDockerEndpoint(endpoint)).endpoint,
    tls,
    username: username ?? null,
    password: password ?? null,
    timeoutMs: httpClientTimeout,
  });
}

function choicesOf(config: Common): Omit<Choices, "useBindPortIP"> {
  const { exposedByDefault, network, defaultRule, constraints, allowEmptyServices } = config;
  return {
    exposedByDefault,
    network: network ?? null,
    defaultRule: defaultRule === undefined ? null : sound(parseTemplate(defaultRule)).render,
    constraints: sound(parseConstraints(constraints)).holds,
    allowEmptyServices,
  };
}

/** What the schema has let through. */
function sound<T extends { readonly kind: string }>(parsed: T): Extract<T, { kind: "ok" }> {
  if (parsed.kind !== "ok") throw new Error("a text that its schema refuses");
  return parsed as Extract<T, { kind: "ok" }>;
}
