// The API as OpenAPI 3.1, from the table of endpoints: what is not in it is not served.

import { z } from "zod";
import type { Endpoint } from "./endpoint.ts";

/** What every endpoint may answer beside what it is for. */
const FAILURES: Readonly<Record<string, string>> = {
  "400": "The request makes no sense; the message says what.",
  "401": "A name and a password, or a token, are needed, or are wrong.",
  "403": "The role may not, or the request comes from a page of another site.",
  "404": "There is no such thing.",
  "421": "Sluice has no such name: see `api.hosts`.",
  "429": "Too many wrong passwords or tokens came from this address.",
  "503": "Busy: come again.",
};

export function openApi(endpoints: readonly Endpoint[], version: string, base: string): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const endpoint of endpoints) {
    const path = (paths[endpoint.path] ??= {});
    path[endpoint.method.toLowerCase()] = operation(endpoint);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Sluice",
      version,
      description: "Paths of Traefik in its shapes, and under /api/sluice/ what is Sluice's own.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: base === "" ? "/" : base }],
    security: [{ basic: [] }, { bearer: [] }, {}],
    paths,
    components: {
      securitySchemes: { basic: { type: "http", scheme: "basic" }, bearer: { type: "http", scheme: "bearer" } },
      schemas: { Failure: schemaOf(z.object({ message: z.string() })) },
    },
  };
}

function operation({ method, path, role, summary, query = {}, body, answer }: Endpoint): object {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = Object.entries(query).map(([name, description]) => ({
    name,
    in: "query",
    description,
    schema: { type: "string" },
  }));
  const type = typeof answer === "string" ? answer : "application/json";
  const content = {
    [type]: typeof answer === "string" ? { schema: { type: "string" } } : { schema: schemaOf(answer) },
  };
  return {
    operationId: `${method.toLowerCase()}${path.replaceAll(/[^\w]+(\w)/g, (_, letter: string) => letter.toUpperCase()).replaceAll(/\W/g, "")}`,
    summary,
    description: `Needs the role ${role}.`,
    parameters: [...inPath, ...inQuery],
    ...(body !== undefined && { requestBody: { content: { "application/json": { schema: schemaOf(body) } } } }),
    responses: {
      "200": { description: summary, content },
      ...Object.fromEntries(
        Object.entries(FAILURES).map(([status, description]) => [
          status,
          { description, content: { "application/json": { schema: { $ref: "#/components/schemas/Failure" } } } },
        ]),
      ),
    },
  };
}

function schemaOf(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "output", unrepresentable: "any" }) as Record<
    string,
    unknown
  >;
  return rest;
}
