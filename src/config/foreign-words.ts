// Fields that other versions of Traefik have, its HTTP half, or habit, and what is written here in their place. Said where such a field
// is unknown.

import type { Path } from "./source.ts";

type Words = Readonly<Record<string, string>>;

const V1 = "it is Traefik v1's: write ";
const HTTP = "it is for HTTP";
const inTls = (example: string) => `it stands in tls:  tls: { ${example} }`;

/** By the place of the object that has the field, `*` for any name or index; fields in lower case. */
const WORDS: Readonly<Record<string, Words>> = {
  "": {
    // Of the static configuration.
    acme: `${V1} certificatesResolvers: { NAME: { acme: {...} } }`,
    defaultentrypoints: `${V1} asDefault: true  in the entry points that are meant`,
    file: `${V1} providers: { file: { filename: FILE } }`,
    insecureskipverify: `${V1} tcpServersTransport: { tls: { insecureSkipVerify: true } }`,
    loglevel: `${V1} log: { level: ... }`,
    rootcas: `${V1} tcpServersTransport: { tls: { rootCAs: [...] } }`,
    traefiklog: `${V1} log: {...}`,
    web: `${V1} metrics: { prometheus: {} }  and  ping: {}`,
    // Of the dynamic one.
    backends: `${V1} tcp: { services: {...} }`,
    certificates: "it stands in tls:  tls: { certificates: [...] }",
    frontends: `${V1} tcp: { routers: {...} }  with rules such as HostSNI(\`mqtt.example.com\`)`,
    routers: "it stands in tcp:  tcp: { routers: {...} }",
    services: "it stands in tcp:  tcp: { services: {...} }",
  },
  "entryPoints.*": {
    host: 'write  address: "HOST:8883"',
    port: 'write  address: ":8883"',
    redirect: HTTP,
    tls: "a router says what is done with TLS (tls: {}), and the certificates stand in tls.certificates of the dynamic configuration",
    whitelist: `${V1} tcp: { middlewares: { NAME: { ipAllowList: { sourceRange: [...] } } } }  in the dynamic configuration, and name it in routers`,
  },
  "tcp.routers.*": {
    certresolver: inTls("certResolver: NAME"),
    domains: inTls("domains: [...]"),
    hostsni: "write  rule: HostSNI(`mqtt.example.com`)",
    options: inTls("options: NAME"),
    passthrough: inTls("passthrough: true"),
  },
  "tcp.services.*": {
    mirroring: HTTP,
    servers: "it stands in loadBalancer:  loadBalancer: { servers: [...] }",
  },
  "tcp.services.*.loadBalancer": {
    passhostheader: HTTP,
    responseforwarding: HTTP,
  },
  "tcp.services.*.loadBalancer.sticky": {
    cookie: "it is for HTTP, and MQTT has no cookies: `key` says what a client is known by",
  },
  "tcp.services.*.loadBalancer.servers.*": {
    host: "write  address: HOST:PORT",
    scheme: `${HTTP}: for a broker that speaks TLS write  tls: true`,
    url: `${HTTP}: write  address: HOST:PORT`,
  },
  "tls.options.*": {
    clientca: `write  clientAuth: { caFiles: [...] }`,
    clientcafiles: `write  clientAuth: { caFiles: [...] }`,
  },
};

/** Names that users choose, and indexes of lists, stand behind these. */
const BEFORE_A_NAME = new Set(["entryPoints", "routers", "services", "servers", "options"]);

/** What to write in place of an unknown field of the object at `path`; null for a field that nobody has. */
export function foreignWord(path: Path, field: string): string | null {
  const place = path.map((step, index) => (BEFORE_A_NAME.has(String(path[index - 1])) ? "*" : step)).join(".");
  const words = WORDS[place] ?? {};
  const word = field.toLowerCase();
  return Object.hasOwn(words, word) ? words[word]! : null;
}
