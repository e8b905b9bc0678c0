// Variables and flags: what they are called, what they are put over, and what is said when they are wrong.

import { describe, expect, test } from "bun:test";
import { Diagnostics, describeDiagnostic, formatPlace } from "../../../src/config/diagnostics.ts";
import { parseFlag } from "../../../src/config/flags.ts";
import type { Path } from "../../../src/config/source.ts";
import { flagTakesValue, parseStatic } from "../../../src/config/static.ts";

type Given = { file?: string; environment?: Record<string, string>; flags?: string[] };

function read({ file = "", environment = {}, flags = [] }: Given) {
  const diagnostics = new Diagnostics();
  const overrides = { environment, flags: flags.map(parseFlag) };
  const config = parseStatic("s.yml", file, diagnostics, overrides);
  return { config, problems: diagnostics.list.map(describeDiagnostic) };
}

function parse(given: Given) {
  const { config, problems } = read(given);
  expect(problems).toEqual([]);
  return config!;
}

const problemsOf = (given: Given) => read(given).problems;
const origin = (given: Given, ...path: Path) => {
  const place = parse(given).from(...path);
  return place === null ? "default" : formatPlace(place);
};

const POINT = { SLUICE_ENTRYPOINTS_MQTTS_ADDRESS: ":8883" };
const FILE = "entryPoints:\n  mqtts:\n    address: ':8883'\n";

describe("names", () => {
  test.each([
    [{ SLUICE_ENTRYPOINTS_MQTTS_ADDRESS: ":1" }, "mqtts"],
    [{ sluice_entryPoints_Mqtts_address: ":1" }, "mqtts"],
    [{ SLUICE_ENTRYPOINTS_MY_POINT_ADDRESS: ":1" }, "my_point"],
    [{ SLUICE_ENTRYPOINTS_MQTT_HTTP_ADDRESS: ":1" }, "mqtt_http"],
  ])("the variable %j defines the entry point %s", (environment, name) => {
    expect([...parse({ environment }).entryPoints.keys()]).toEqual([name]);
  });

  test.each([
    ["--entryPoints.mqtts.address=:1", "mqtts"],
    ["--ENTRYPOINTS.mqtts.Address=:1", "mqtts"],
    ["--entrypoints.mqttS.address=:1", "mqttS"],
    ["--entryPoints.my.point.address=:1", "my.point"],
  ])("the flag %s defines the entry point %s", (flag, name) => {
    expect([...parse({ flags: [flag] }).entryPoints.keys()]).toEqual([name]);
  });

  test("a name that the file has is met whatever its case, and with its dashes and dots", () => {
    const file = "entryPoints:\n  My-Point.x:\n    address: ':1'\n";
    const environment = { SLUICE_ENTRYPOINTS_MY_POINT_X_ASDEFAULT: "true" };
    const point = parse({ file, environment }).entryPoints.get("My-Point.x");
    expect(point).toMatchObject({ port: 1, asDefault: true });
    expect(parse({ file, flags: ["--entrypoints.my-point.x.address=:2"] }).entryPoints.get("My-Point.x")?.port).toBe(2);
  });

  test("of names that differ in case the exact one is meant, and each has its own place", () => {
    const file = "entryPoints:\n  A: { address: ':1' }\n  a: { address: ':2' }\n";
    const { entryPoints } = parse({ file, flags: ["--entryPoints.a.address=:3"] });
    expect([entryPoints.get("A")?.port, entryPoints.get("a")?.port]).toEqual([1, 3]);
    expect(origin({ file }, "entryPoints", "a", "address")).toBe("s.yml:3:8");
  });

  test("an entry point that is implied does not go over one whose name differs in case", () => {
    const file = `${FILE}  Traefik: { address: ':2' }\n`;
    expect(problemsOf({ file, flags: ["--ping"] })).toEqual([
      '--ping: the entry point "traefik" does not exist (did you mean "Traefik"?): define it under entryPoints, or leave the field out to use 127.0.0.1:8080',
    ]);
  });

  test("a name may read like what Kubernetes says of a service", () => {
    const environment = { SLUICE_ENTRYPOINTS_MQTT_SERVICE_PORT_ADDRESS: ":1" };
    expect([...parse({ environment }).entryPoints.keys()]).toEqual(["mqtt_service_port"]);
  });

  test.each(["__proto__", "constructor", "toString", "", ".", "a".repeat(9999), "a.".repeat(9999)])(
    "the name %j is an error or a name",
    (name) => {
      for (const flag of [`--entryPoints.${name}.address=:1`, `--${name}=1`, `--ping.${name}=1`])
        read({ flags: [flag] });
      read({ environment: { [`SLUICE_ENTRYPOINTS_${name}_ADDRESS`]: ":1", [`SLUICE_${name}`]: "1" } });
      expect(Object.keys(Object.prototype)).toEqual([]);
    },
  );

  test("what Kubernetes says of a service that is called sluice is not meant for Sluice", () => {
    const environment = {
      ...POINT,
      SLUICE_SERVICE_HOST: "10.0.0.1",
      SLUICE_SERVICE_PORT: "8883",
      SLUICE_SERVICE_PORT_MQTTS: "8883",
      SLUICE_PORT: "tcp://10.0.0.1:8883",
      SLUICE_PORT_8883_TCP: "tcp://10.0.0.1:8883",
      SLUICE_PORT_8883_TCP_PROTO: "tcp",
      SLUICE_PORT_8883_TCP_PORT: "8883",
      SLUICE_PORT_8883_TCP_ADDR: "10.0.0.1",
      SLUICE_NAME: "/app/sluice",
      SLUICE_ENV_PATH: "/bin",
      SLUICE_ADMIN_SERVICE_HOST: "10.0.0.2",
      SLUICE_ADMIN_PORT: "tcp://10.0.0.2:8080",
    };
    parse({ environment });
  });
});

describe("forms", () => {
  test("a flag without a value is true, and a section that is on keeps what is set in it", () => {
    const { ping, accessLog, entryPoints } = parse({
      environment: { ...POINT, SLUICE_PING_ENTRYPOINT: "admin", SLUICE_ENTRYPOINTS_ADMIN_ADDRESS: ":2" },
      flags: ["--ping", "--accessLog", "--entryPoints.mqtts.asDefault"],
    });
    expect(ping).toEqual({ entryPoint: "admin" });
    expect(accessLog).toEqual({});
    expect(entryPoints.get("mqtts")?.asDefault).toBe(true);
  });

  test("false takes a section of the file away", () => {
    expect(parse({ file: `${FILE}accessLog: {}\n`, environment: { SLUICE_ACCESSLOG: "false" } }).accessLog).toBe(
      undefined,
    );
  });

  test("of variables false goes over what is set in the section, of flags the later one", () => {
    const environment = { ...POINT, SLUICE_PING: "false", SLUICE_PING_ENTRYPOINT: "x" };
    expect(parse({ environment }).ping).toBeUndefined();
    expect(parse({ environment, flags: ["--ping.entryPoint=mqtts", "--entryPoints.b.address=:1"] }).ping).toEqual({
      entryPoint: "mqtts",
    });
  });

  test("a list is written with commas, and the flags of one list add up", () => {
    const environment = { ...POINT, SLUICE_DEVELOPMENTCERTIFICATE_NAMES: "a, b" };
    const name = "developmentCertificate.names";
    expect(parse({ environment }).developmentCertificate?.names).toEqual(["a", "b"]);
    const flags = [`--${name}=c`, `--${name}=d,e`];
    expect(parse({ environment, flags }).developmentCertificate?.names).toEqual(["c", "d", "e"]);
  });

  test("a list of objects is written with an index", () => {
    const environment = {
      ...POINT,
      SLUICE_TCPSERVERSTRANSPORT_TLS_CERTIFICATES_0_CERTFILE: "a.crt",
      SLUICE_TCPSERVERSTRANSPORT_TLS_CERTIFICATES_0_KEYFILE: "a.key",
    };
    const flags = [
      "--tcpServersTransport.tls.certificates[0].keyFile=b.key",
      "--tcpserverstransport.tls.certificates[1].certfile=c.crt",
      "--tcpserverstransport.tls.certificates[1].keyfile=c.key",
    ];
    expect(parse({ environment, flags }).tcpServersTransport?.tls?.certificates).toEqual([
      { certFile: "a.crt", keyFile: "b.key" },
      { certFile: "c.crt", keyFile: "c.key" },
    ]);
  });

  test("an empty variable is as good as none", () => {
    expect(parse({ environment: { ...POINT, SLUICE_LOG_LEVEL: "", SLUICE_NONSENSE: "" } }).log.level).toBe("info");
  });

  test("durations, numbers and switches are read as in the file", () => {
    const config = parse({
      environment: { ...POINT, SLUICE_LIMITS_MAXCONNECTIONS: "7", SLUICE_PROVIDERS_FILE_FILENAME: "x.yml" },
      flags: ["--providers.file.watch=false", "--entryPoints.mqtts.transport.respondingTimeouts.readTimeout=1m30s"],
    });
    expect(config.limits.maxConnections).toBe(7);
    expect(config.providers.file?.watch).toBe(false);
    expect(config.entryPoints.get("mqtts")?.readTimeoutMs).toBe(90_000);
  });

  test.each([
    ["--log.level", true],
    ["--ping", false],
    ["--entryPoints.mqtts.asDefault", false],
    ["--api.insecure", false],
    ["--unknown", true],
  ])("whether %s takes the next argument: %j", (flag, takes) => {
    expect(flagTakesValue(parseFlag(flag))).toBe(takes);
  });
});

describe("order", () => {
  const path = ["entryPoints", "mqtts", "address"];
  const environment = { SLUICE_ENTRYPOINTS_MQTTS_ADDRESS: ":2" };
  const flags = ["--entryPoints.mqtts.address=:3"];
  const port = (given: Given) => parse(given).entryPoints.get("mqtts")?.port;

  test("the environment goes over the file, and flags over both; each value says where it is from", () => {
    expect(port({ file: FILE })).toBe(8883);
    expect(port({ file: FILE, environment })).toBe(2);
    expect(port({ file: FILE, environment, flags })).toBe(3);
    expect(origin({ file: FILE }, ...path)).toBe("s.yml:3:5");
    expect(origin({ file: FILE, environment }, ...path)).toBe("SLUICE_ENTRYPOINTS_MQTTS_ADDRESS");
    expect(origin({ file: FILE, environment, flags }, ...path)).toBe("--entryPoints.mqtts.address");
    expect(origin({ file: FILE }, "log", "level")).toBe("default");
  });

  test("one key of a section leaves the others as they are", () => {
    const file = `${FILE}    asDefault: true\nlimits: { heldBytesPerConnection: 4096 }\n`;
    const config = parse({ file, environment: { ...environment, SLUICE_LIMITS_MAXCONNECTIONS: "9" } });
    expect(config.entryPoints.get("mqtts")).toMatchObject({ port: 2, asDefault: true });
    expect(config.limits).toMatchObject({ maxConnections: 9, heldBytesPerConnection: 4096 });
  });

  test("what an alias or a merge key brings in is changed in one place only", () => {
    const file = `entryPoints:
  a: &a
    address: ":1"
    transport: &t { lifeCycle: { graceTimeOut: 1s } }
  b: { address: ":2", transport: *t }
  c: { <<: *a, address: ":3" }
`;
    const grace = (flags: string[]) =>
      Object.fromEntries([...parse({ file, flags }).entryPoints].map(([name, point]) => [name, point.graceTimeoutMs]));
    const flag = (name: string) => `--entryPoints.${name}.transport.lifeCycle.graceTimeOut=9s`;
    expect(grace([flag("b")])).toEqual({ a: 1000, b: 9000, c: 1000 });
    expect(grace([flag("c")])).toEqual({ a: 1000, b: 1000, c: 9000 });
    expect(grace([flag("b"), flag("c")])).toEqual({ a: 1000, b: 9000, c: 9000 });
  });
});

describe("nothing gets lost", () => {
  test("what is set in an anchored mapping, or twice in one that an alias brings in, changes no other place", () => {
    const file = `entryPoints:
  a: &a { address: ":1", transport: { respondingTimeouts: { readTimeout: 1s }, lifeCycle: { graceTimeOut: 1s } } }
  b: *a
  c: { <<: *a, address: ":3" }
`;
    const grace = (name: string) => `--entryPoints.${name}.transport.lifeCycle.graceTimeOut`;
    const read = (name: string) => `--entryPoints.${name}.transport.respondingTimeouts.readTimeout`;
    const flags = [
      "--entryPoints.b.address=:2",
      `${grace("a")}=2s`,
      `${read("a")}=2s`,
      `${grace("b")}=3s`,
      `${read("b")}=3s`,
    ];
    const points = [...parse({ file, flags }).entryPoints.values()];
    expect(points.map(({ port, graceTimeoutMs, readTimeoutMs }) => [port, graceTimeoutMs, readTimeoutMs])).toEqual([
      [1, 2000, 2000],
      [2, 3000, 3000],
      [3, 1000, 1000],
    ]);
  });

  test("a field that Sluice lacks stays, whatever is switched off in it", () => {
    const file = `${FILE}    http3: { advertisedPort: 443 }\n`;
    const environment = { SLUICE_ENTRYPOINTS_MQTTS_HTTP3_ADVERTISEDPORT: "false" };
    expect(problemsOf({ file, environment })).toEqual([
      expect.stringContaining("s.yml:4:5: warning: entryPoints.mqtts.http3"),
    ]);
    const flags = ["--entryPoints.mqtts.http3.advertisedPort=1", "--entryPoints.mqtts.http3.other=false"];
    expect(problemsOf({ file: FILE, flags })).toEqual([expect.stringContaining("entryPoints.mqtts.http3 is for HTTP")]);
    expect(problemsOf({ file, flags: ["--entryPoints.mqtts.http3=false"] })).toEqual([]);
  });

  test.each<[string, Record<string, string>, string]>([
    ["log: debug\n", { SLUICE_LOG_LEVEL: "info" }, 's.yml:1:6: log must be a mapping, not "debug"'],
    ["entryPoints: [a]\n", {}, "s.yml:1:14: entryPoints must be a mapping of names, not a list"],
    ["[1]\n", {}, "s.yml:1:1: the file must be a mapping, not a list"],
  ])(
    "what is wrong in the file is told of, though a variable sets something in it: %j",
    (file, environment, problem) => {
      expect(problemsOf({ file, environment: { ...POINT, ...environment } })).toEqual([problem]);
    },
  );

  test("two variables for one field are an error", () => {
    const environment = { ...POINT, SLUICE_LOG_LEVEL: "info", sluice_log_level: "debug" };
    expect(problemsOf({ environment })).toEqual(["SLUICE_LOG_LEVEL: log.level is given by sluice_log_level too"]);
  });
});

test("an error shows no secret that stands in the wrong place", () => {
  const key = "-----BEGIN PRIVATE KEY-----\nMIIhunter2hunter2\n-----END PRIVATE KEY-----\n";
  const environment = { ...POINT, SLUICE_CERTIFICATESRESOLVERS_LE_ACME_EAB: "kid:hunter2", SLUICE_SIDECAR: key };
  const file = `tcpServersTransport: { tls: { certificates: ${JSON.stringify(key)} } }\n`;
  expect(problemsOf({ file, environment }).join("\n")).not.toContain("hunter2");
  expect(problemsOf({ environment: { ...POINT, SLUICE_SIDECAR: key } }).join("\n")).not.toContain("hunter2");
});

describe("errors name the variable or the flag, and what was meant", () => {
  test.each<[Given, string]>([
    [
      { environment: { SLUICE_ENTRYPOINT_MQTTS_ADDRESS: ":1" } },
      'SLUICE_ENTRYPOINT_MQTTS_ADDRESS: unknown variable: the static configuration has no "ENTRYPOINT" (did you mean "SLUICE_ENTRYPOINTS_MQTTS_ADDRESS"?)',
    ],
    [
      { environment: { SLUICE_ENTRYPOINTS_MQTTS_ADRESS: ":1" } },
      'SLUICE_ENTRYPOINTS_MQTTS_ADRESS: unknown variable: entryPoints.mqtts has no "ADRESS" (did you mean "SLUICE_ENTRYPOINTS_MQTTS_ADDRESS"?)',
    ],
    [
      { flags: ["--entryPoints.mqtts.adress=:1"] },
      '--entryPoints.mqtts.adress: unknown flag: entryPoints.mqtts has no "adress" (did you mean "--entryPoints.mqtts.address"?)',
    ],
    [
      { flags: ["--entryPoints.mqtts=:1"] },
      "--entryPoints.mqtts: entryPoints.mqtts is a section: the flag must name a field in it",
    ],
    [{ flags: ["--log.level.x=1"] }, '--log.level.x: unknown flag: log.level has no "x"'],
    [{ flags: ["--log.level"] }, "--log.level: needs a value: --log.level=VALUE"],
    [
      { flags: ["--tcpServersTransport.tls.certificates[1].certFile=x"] },
      "--tcpServersTransport.tls.certificates[1].certFile: the list tcpServersTransport.tls.certificates has 0 entries: the next index is 0",
    ],
    [
      { flags: ["--tcpServersTransport.tls.certificates[0].crtFile=x"] },
      '--tcpServersTransport.tls.certificates[0].crtFile: unknown flag: tcpServersTransport.tls.certificates[0] has no "crtFile" (did you mean "--tcpServersTransport.tls.certificates[0].certFile"?)',
    ],
    [
      { environment: { SLUICE_TCP_ROUTERS_A_RULE: "x" } },
      "SLUICE_TCP_ROUTERS_A_RULE: tcp belongs to the dynamic configuration, which comes from files: see providers.file",
    ],
    [{ environment: { SLUICE_: "x" } }, 'SLUICE_: unknown variable: the static configuration has no ""'],
  ])("%j", (given, message) => {
    expect(problemsOf({ ...given, environment: { ...POINT, ...given.environment } })[0]).toBe(message);
  });

  test("a wrong value", () => {
    expect(problemsOf({ environment: { ...POINT, SLUICE_LOG_LEVEL: "loud" } })).toEqual([
      'SLUICE_LOG_LEVEL: log.level must be one of trace, debug, info, warn, error, fatal, panic, not "loud"',
    ]);
    expect(problemsOf({ flags: ["--entryPoints.mqtts.address=8883"] })).toEqual([
      '--entryPoints.mqtts.address: entryPoints.mqtts.address "8883" is not host:port (a port alone is written ":8883")',
    ]);
  });

  test("a word for a section", () => {
    expect(problemsOf({ environment: { ...POINT, SLUICE_PING: "yes" } })).toEqual([
      'SLUICE_PING: ping must be true or false, or set field by field, not "yes"',
    ]);
  });

  test("a field of Traefik's that Sluice lacks is a warning, whatever is set below it", () => {
    const environment = { ...POINT, SLUICE_PROVIDERS_NOMAD_ENDPOINT_ADDRESS: "x" };
    expect(problemsOf({ environment, flags: ["--tracing.serviceName=x"] })).toEqual([
      expect.stringContaining("SLUICE_PROVIDERS_NOMAD_ENDPOINT_ADDRESS: warning: providers.nomad is not built"),
      expect.stringContaining("--tracing.serviceName: warning: tracing is not built"),
    ]);
  });
});

describe("sidecar", () => {
  const environment = { SLUICE_SIDECAR: "127.0.0.1:1883", SLUICE_SIDECAR_CERTFILE: "tls.pem" };

  test("it brings an entry point on 8883, unless there is one for MQTT", () => {
    const points = (given: Given) => [...parse(given).entryPoints.values()].map(({ name, address }) => [name, address]);
    expect(points({ environment })).toEqual([["mqtts", ":8883"]]);
    expect(points({ environment, flags: ["--ping"] })).toEqual([
      ["traefik", "127.0.0.1:8080"],
      ["mqtts", ":8883"],
    ]);
    expect(points({ environment, flags: ["--entryPoints.tls.address=:9"] })).toEqual([["tls", ":9"]]);
    expect(origin({ environment }, "entryPoints", "mqtts", "address")).toBe("SLUICE_SIDECAR");
  });

  test("the short form in the file is its address, when variables set the rest", () => {
    const given = { file: "sidecar: 127.0.0.1:1\n", environment: { SLUICE_SIDECAR_CERTFILE: "tls.pem" } };
    expect(parse(given).sidecar).toEqual({ address: "127.0.0.1:1", certFile: "tls.pem" });
    expect(origin(given, "sidecar", "address")).toBe("s.yml:1:10");
    expect(parse({ file: given.file, environment }).sidecar?.address).toBe("127.0.0.1:1883");
    const alone = { file: `${given.file}developmentCertificate: {}\n` };
    expect(origin(alone, "sidecar", "address")).toBe("s.yml:1:10");
  });

  test("other fields of its entry point are set without naming the address", () => {
    const flags = ["--entryPoints.mqtts.transport.lifeCycle.graceTimeOut=30s"];
    expect(parse({ environment, flags }).entryPoints.get("mqtts")).toMatchObject({
      port: 8883,
      graceTimeoutMs: 30_000,
    });
    expect(origin({ environment, flags }, "entryPoints", "mqtts", "address")).toBe("SLUICE_SIDECAR");
    const [problem] = problemsOf({ flags });
    expect(problem).toContain("entryPoints.mqtts.address is missing");
  });

  test("without a certificate it is refused", () => {
    expect(problemsOf({ environment: { SLUICE_SIDECAR: "1883" } })).toEqual([
      "SLUICE_SIDECAR: the sidecar has no certificate: give sidecar.certFile (and keyFile), sidecar.keyStore or sidecar.certDirectory",
    ]);
    expect(problemsOf({ flags: ["--sidecar=1883", "--sidecar.certDirectory=x", "--sidecar.keyFile=y"] })).toEqual([
      "--sidecar.keyFile: sidecar.keyFile belongs to a certFile, and there is none",
    ]);
  });

  test("what does not go together in the certificate's fields is refused, as in tls.certificates", () => {
    const of = (...flags: string[]) =>
      problemsOf({ flags: ["--sidecar=1883", ...flags.map((each) => `--sidecar.${each}`)] });
    expect(of("certFile=a.crt", "keyStore=a.p12")).toEqual([
      "--sidecar.keyStore: sidecar.keyStore and certFile are two sources: give one of them",
    ]);
    expect(of("certDirectory=x", "keyStorePassword=hunter2")).toEqual([
      "--sidecar.keyStorePassword: sidecar.keyStorePassword is for a keyStore, and there is none",
    ]);
    expect(of("keyStore=a.p12", "keyFile=a.key")).toEqual([
      "--sidecar.keyFile: sidecar.keyFile does not go with keyStore, which holds the key",
    ]);
    expect(of("keyStore=a.p12", "keyPassword=hunter2", "keyPasswordFile=b")).toEqual([
      "--sidecar.keyPasswordFile: sidecar.keyPasswordFile and keyPassword are two sources: give one of them",
    ]);
    expect(of("keyStore=a.p12", "keyStoreType=zip")).toEqual([expect.stringContaining("must be one of PKCS12, JKS")]);
    expect(
      problemsOf({ file: "developmentCertificate: {}\n", flags: ["--sidecar=1883", "--sidecar.keyPassword=hunter2"] }),
    ).toEqual([
      "--sidecar.keyPassword: sidecar.keyPassword is for a certFile, a keyStore or a certDirectory, and there is none",
    ]);
    expect(of("keyStore=a.p12", "keyStorePassword=x", "keyPassword=y", "keyAlias=z", "keyStoreType=jks")).toEqual([]);
    expect(of("certDirectory=x", "keyPasswordFile=y")).toEqual([]);
  });

  test.each([
    ["mosquitto", '"mosquitto" is not host:port'],
    ["0", "needs a port from 1 to 65535"],
    ["a:b", '"a:b": "b" is neither'],
    ["8883", 'is the broker\'s, and there listens the entry point "mqtts"'],
    ["localhost:mqtts", 'is the broker\'s, and there listens the entry point "mqtts"'],
  ])("the address %s is refused", (address, message) => {
    const [problem] = problemsOf({ environment: { ...environment, SLUICE_SIDECAR: address } });
    expect(problem).toStartWith("SLUICE_SIDECAR: sidecar.address");
    expect(problem).toContain(message);
  });
});
