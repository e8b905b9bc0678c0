// providers.http: a whole dynamic configuration from a web server.

import { z } from "zod";
import { duration, type FieldMeta, field, section } from "../field.ts";
import type { Path } from "../source.ts";
import type { Say } from "../subject.ts";
import { checkClientTls, clientTls } from "./client-tls.ts";

const MEBIBYTE = 1024 * 1024;

const fields = section({
  endpoint: field("The URL, `http://` or `https://`.", z.string().min(1), {
    example: "https://config.internal/sluice.yml",
  }),
  pollInterval: field("How often to ask. At least `100ms`.", duration(100, "must be at least 100ms").default(5000), {
    example: "30s",
  }),
  pollTimeout: field(
    "How long an answer may take, to its last byte.",
    duration(1, "must be longer than 0").default(5000),
    { example: "2s" },
  ),
  headers: field(
    "Headers of each request, by their names.",
    z.record(z.string(), z.string().meta({ secret: true } satisfies FieldMeta)).default({}),
    { otherwise: "none", example: { Authorization: "Bearer 6f1b" } },
  ),
  maxResponseBodySize: field(
    "The most bytes of an answer. `-1`: the default.",
    z
      .number()
      .int()
      .min(-1)
      .max(1024 * MEBIBYTE)
      .default(64 * MEBIBYTE),
    { unit: "bytes", otherwise: "67108864 (64 MiB)", example: 1_048_576 },
  ),
  tls: field("TLS towards the server.", clientTls.optional(), { otherwise: "as with `{}`" }),
});

export const http = field("A file from a web server: see [HTTP](providers.md#http).", fields.optional(), {
  otherwise: "none",
});

export type HttpConfig = z.output<typeof fields>;

/** Names of headers, as RFC 9110 has them. */
const HEADER = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Says what is wrong with it. */
export function checkHttp(config: HttpConfig | undefined, problem: Say): void {
  if (config === undefined) return;
  const path: Path = ["providers", "http"];
  const url = URL.parse(config.endpoint);
  if (url === null || !/^https?:$/.test(url.protocol))
    problem("field-value", [...path, "endpoint"], "providers.http.endpoint must be a URL with http:// or https://");
  else if (url.username !== "" || url.password !== "")
    problem(
      "field-value",
      [...path, "endpoint"],
      "providers.http.endpoint: a user and a password in it would be seen: give them as headers.Authorization: Basic BASE64",
    );
  for (const [name, value] of Object.entries(config.headers))
    if (!HEADER.test(name) || /[\r\n\0]/.test(value))
      problem("field-value", [...path, "headers", name], `providers.http.headers.${name} is no header`);
  checkClientTls(config.tls, [...path, "tls"], problem);
}
