// A configuration from a web server: what every provider does, and what HTTP alone has (versions, redirects, sizes, TLS).

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Diagnostics, formatDiagnostic } from "../../../src/config/diagnostics.ts";
import type { HttpConfig } from "../../../src/config/providers/http.ts";
import { parseStatic } from "../../../src/config/static.ts";
import { HttpEngine } from "../../../src/providers/http/engine.ts";
import { BackOff } from "../../../src/providers/pause.ts";
import { RemoteProvider } from "../../../src/providers/remote.ts";
import { Authority } from "../../support/certs.ts";
import { providerSuite, type Store } from "../../support/provider-suite.ts";
import { cleanup, freePort, waitFor } from "../../support/tools.ts";

type Answer = (request: Request) => Response | Promise<Response>;

/** A web server that can be stopped and started again at the same port. */
class Server {
  readonly port: number;
  answer: Answer;
  /** Headers of each request: of one that is answered the runtime may have forgotten them. */
  readonly requests: Headers[] = [];
  readonly #tls: { readonly cert: string; readonly key: string; readonly ca?: string } | undefined;
  #server: ReturnType<typeof Bun.serve> | null = null;

  constructor(
    port: number,
    answer: Answer,
    tls?: { readonly cert: string; readonly key: string; readonly ca?: string },
  ) {
    this.port = port;
    this.answer = answer;
    this.#tls = tls;
    this.start();
    cleanup(() => this.stop());
  }

  start(): void {
    this.#server = Bun.serve({
      port: this.port,
      hostname: "127.0.0.1",
      fetch: (request) => {
        this.requests.push(new Headers(request.headers));
        return this.answer(request);
      },
      ...(this.#tls && { tls: { ...this.#tls, requestCert: this.#tls.ca !== undefined, rejectUnauthorized: true } }),
    });
  }

  async stop(): Promise<void> {
    await this.#server?.stop(true);
  }
}

const settings = (port: number, more: Partial<HttpConfig> = {}): HttpConfig => ({
  endpoint: `http://127.0.0.1:${port}/dynamic`,
  pollInterval: 100,
  pollTimeout: 5000,
  headers: {},
  maxResponseBodySize: 64 * 1024 * 1024,
  ...more,
});

const providerOf = (config: HttpConfig, cache: string | null = null) =>
  new RemoteProvider(new HttpEngine(config), { entryPoints: new Set(), cache, once: false, backOff: new BackOff(20) });

const yaml = (services: readonly string[]) =>
  `tcp: { services: { ${services.map((each) => `${each}: { loadBalancer: {} }`).join(", ")} } }\n`;
const json = (services: readonly string[]) =>
  JSON.stringify({ tcp: { services: Object.fromEntries(services.map((each) => [each, { loadBalancer: {} }])) } });

async function store(write: (services: readonly string[]) => string): Promise<Store> {
  let text = "";
  const server = new Server(await freePort(), () => new Response(text));
  return {
    kind: "document",
    several: false,
    provider: (cache) => providerOf(settings(server.port), cache ?? null),
    put: async (_, services) => {
      text = write(services);
    },
    spoil: async () => {
      text = "tcp: { services: { a: { oops: 1 } } }\n";
    },
    remove: async () => {
      text = "{}";
    },
    hide: () => server.stop(),
    show: async () => server.start(),
    placeOf: () => `http://127.0.0.1:${server.port}/dynamic`,
  };
}

providerSuite("YAML from a web server", () => store(yaml));
providerSuite("JSON from a web server", () => store(json));

async function asked(answer: Answer, more: Partial<HttpConfig> = {}) {
  const server = new Server(await freePort(), answer);
  const provider = providerOf(settings(server.port, more));
  await provider.start(() => {});
  cleanup(() => provider.close());
  return {
    server,
    provider,
    services: () =>
      provider
        .current()
        .offer?.flatMap(({ value }) => Object.keys(value.tcp.services))
        .join() ?? null,
    problems: () => provider.current().diagnostics.list.map(formatDiagnostic).join("\n"),
  };
}

describe("only what is new comes over the wire", () => {
  for (const [header, name, value] of [
    ["if-none-match", "etag", '"1"'],
    ["if-modified-since", "last-modified", "Thu, 26 Nov 2026 09:00:00 GMT"],
  ] as const)
    test(`by ${header}`, async () => {
      const text = yaml(["a"]);
      const { server, provider, services, problems } = await asked(({ headers }) =>
        headers.get(header) === value
          ? new Response(null, { status: 304 })
          : new Response(text, { headers: { [name]: value } }),
      );
      const before = provider.current().offer;
      await waitFor("three questions", () => server.requests.length > 3);
      expect(server.requests.slice(1, 4).map((headers) => headers.get(header))).toEqual([value, value, value]);
      expect(services()).toBe("a");
      expect(provider.current().offer).toBe(before);
      expect(problems()).toBe("");
    });
});

describe("headers and redirects", () => {
  test("headers are sent, and what is behind the path is in no message", async () => {
    const port = await freePort();
    const server = new Server(port, () => new Response(yaml(["a"])));
    const endpoint = `http://127.0.0.1:${port}/x?token=t0ken`;
    const provider = providerOf(settings(port, { endpoint, headers: { "X-Token": "abc", Host: "config.example" } }));
    await provider.start(() => {});
    const [headers] = server.requests as [Headers];
    expect(headers.get("x-token")).toBe("abc");
    expect(headers.get("host")).toBe("config.example");
    await server.stop();
    await waitFor("the failure", () => !provider.state().isUp);
    const said = provider.current().diagnostics.list.map(formatDiagnostic).join();
    expect(said).toContain("provider-away");
    expect(said).not.toContain("t0ken");
    await provider.close();
  });

  test("a redirect is followed, and another server gets no secret", async () => {
    const other = new Server(await freePort(), () => new Response(yaml(["b"])));
    const { services } = await asked(() => Response.redirect(`http://127.0.0.1:${other.port}/there`, 302), {
      headers: { Authorization: "Bearer s3cret" },
    });
    expect(services()).toBe("b");
    expect(other.requests[0]!.get("authorization")).toBeNull();
  });

  test("a circle of redirects ends", async () => {
    const { problems } = await asked(({ url }) => Response.redirect(url, 302));
    expect(problems()).toContain("redirects more than 10 times");
  });
});

describe("what cannot be had is told of, and stops nothing", () => {
  for (const [what, answer, more, said] of [
    ["another status", () => new Response("no", { status: 503 }), {}, "status 503"],
    [
      "an answer that is too large",
      () => new Response("x".repeat(2000)),
      { maxResponseBodySize: 1000 },
      "more than 1000 bytes",
    ],
    [
      "an answer that never ends",
      () => new Response(new ReadableStream({ start: (to) => to.enqueue("a: ") })),
      { pollTimeout: 200 },
      "within 0.2 s",
    ],
    ["an answer that never begins", () => new Promise<Response>(() => {}), { pollTimeout: 200 }, "within 0.2 s"],
    ["what is no UTF-8", () => new Response(new Uint8Array([0x61, 0xff, 0xfe])), {}, "not in UTF-8"],
    ["a 304 that nobody asked for", () => new Response(null, { status: 304 }), {}, "status 304"],
  ] as [string, Answer, Partial<HttpConfig>, string][])
    test(what, async () => {
      const { provider, problems } = await asked(answer, more);
      expect(problems()).toContain(said);
      expect(provider.current()).toMatchObject({ offer: null, fresh: false, remote: { isAway: true } });
    });

  test("an empty answer is not taken for meant, and {} is", async () => {
    let text = yaml(["a"]);
    const { services, problems } = await asked(() => new Response(text));
    text = "";
    await waitFor("the mistake", () => problems().includes("[file-vanished]"));
    expect(services()).toBe("a");
    text = "{}";
    await waitFor("nothing", () => services() === "");
    expect(problems()).toBe("");
  });

  test("a mistake is named with its line, for as long as it is there", async () => {
    const { server, problems } = await asked(() => new Response("tcp:\n  services:\n    a: { oops: 1 }\n"));
    await waitFor("three questions", () => server.requests.length > 3);
    expect(problems()).toContain("/dynamic:3:10: unknown field");
  });
});

test("TLS, with a certificate of one's own", async () => {
  const authority = await Authority.create();
  const own = await authority.issue({ names: ["127.0.0.1"] });
  const client = await authority.issue({ names: ["sluice"], usage: "clientAuth" });
  const text = (path: string) => readFileSync(path, "utf8");
  const server = new Server(await freePort(), () => new Response(yaml(["a"])), {
    cert: text(own.cert),
    key: text(own.key),
    ca: text(authority.cert),
  });
  const endpoint = `https://127.0.0.1:${server.port}/`;
  const tls = { ca: authority.cert, cert: client.cert, key: client.key, insecureSkipVerify: false };
  const problems = async (tls: HttpConfig["tls"]) => {
    const provider = providerOf(settings(server.port, { endpoint, ...(tls && { tls }) }));
    await provider.start(() => {});
    await provider.close();
    return provider.current().diagnostics.list.map(formatDiagnostic).join();
  };
  expect(await problems(tls)).toBe("");
  expect(await problems({ ca: authority.cert, insecureSkipVerify: false })).toContain("[provider-away]");
  expect(await problems(undefined)).toContain("[provider-away]");
});

test("what is wrong with its fields is an error of the configuration", () => {
  const said = (text: string) => {
    const diagnostics = new Diagnostics();
    parseStatic("s.yml", `entryPoints: { m: { address: ":1" } }\nproviders: { http: ${text} }\n`, diagnostics);
    return diagnostics.list.map(formatDiagnostic).join("\n");
  };
  expect(said('{ endpoint: "http://a/b" }')).toBe("");
  expect(said("{}")).toContain("endpoint is missing");
  expect(said('{ endpoint: "http://u:secret@a/b" }')).toContain("headers.Authorization");
  expect(said('{ endpoint: "http://u:secret@a/b" }')).not.toContain("secret");
  expect(said('{ endpoint: "ftp://secret@a/b" }')).toContain("must be a URL with http:// or https://");
  expect(said('{ endpoint: "ftp://secret@a/b" }')).not.toContain("secret");
  expect(said('{ endpoint: "http://a/b", headers: { "a b": x } }')).toContain("is no header");
  expect(said('{ endpoint: "http://a/b", tls: { key: a.key } }')).toContain("needs cert");
});
