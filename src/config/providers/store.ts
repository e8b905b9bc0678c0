// What the stores with a key for each value have in common: where they are, and below which key the routes are.

import { z } from "zod";
import { field } from "../field.ts";
import { parseHostPort } from "../scalars.ts";
import type { Say } from "../subject.ts";
import { checkClientTls, type clientTls } from "./client-tls.ts";

/** `port` is the store's usual one. */
export const endpoints = (description: string, port: number) =>
  field(
    description,
    z
      .array(z.string().min(1))
      .min(1)
      .default([`127.0.0.1:${port}`]),
    {
      otherwise: `\`127.0.0.1:${port}\``,
      example: [`store.internal:${port}`],
    },
  );

export const rootKey = field(
  "The key below which the routes are, with slashes only between its steps. Keys that are elsewhere are not read. `traefik` takes over what Traefik has in the store.",
  z.string().min(1).default("sluice"),
  { example: "traefik" },
);

export const username = (description: string) =>
  field(description, z.string().min(1).optional(), { otherwise: "none", example: "sluice" });

export const password = (description: string) =>
  field(description, z.string().optional(), { secret: true, otherwise: "none", example: "correct horse" });

interface StoreConfig {
  readonly endpoints: readonly string[];
  readonly rootKey: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: z.output<typeof clientTls> | undefined;
}

const ROOT_KEY = /^[^/]+(?:\/[^/]+)*$/;

/** Says what is wrong with a store's fields, and what of them does not go together. */
export function checkStore(name: string, config: StoreConfig | undefined, problem: Say): void {
  if (config === undefined) return;
  for (const [index, endpoint] of config.endpoints.entries()) {
    const path = ["providers", name, "endpoints", index];
    const parsed = parseHostPort(endpoint);
    if (parsed.kind === "error") problem("field-value", path, `${path.join(".")} ${parsed.message}`);
    else if (parsed.host === "" || parsed.port === 0)
      problem("field-value", path, `${path.join(".")} "${endpoint}" needs a host and a port`);
  }
  if (!ROOT_KEY.test(config.rootKey))
    problem(
      "field-value",
      ["providers", name, "rootKey"],
      `providers.${name}.rootKey must be steps with single slashes between them, such as sluice or teams/edge`,
    );
  checkClientTls(config.tls, ["providers", name, "tls"], problem);
  if (config.password !== undefined && config.username === undefined)
    problem("fields-conflict", ["providers", name, "password"], `providers.${name}.password needs username beside it`);
}
