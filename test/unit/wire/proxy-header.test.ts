// What is told of a client in a PROXY header is what was recorded, and a header that would say something wrong is not written at all.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAddress } from "../../../src/ip/address.ts";
import { MAX_PAYLOAD, type ProxyFacts, writeProxyHeader, writeProxyLine } from "../../../src/wire/proxy-header.ts";
import { parseProxyHeader } from "../../../src/wire/proxy-protocol.ts";

interface Address {
  readonly address: string;
  readonly port: number;
}

interface Vector {
  readonly name: string;
  readonly in: {
    readonly src: Address;
    readonly dst: Address;
    readonly sni?: string;
    readonly alpn?: string;
    readonly uniqueId?: string;
    readonly crc32c?: boolean;
    readonly tls?: {
      readonly version: string;
      readonly cipher: string | null;
      readonly clientCertificate: boolean;
      readonly cn?: string | null;
      readonly verify?: number;
      readonly resumed?: boolean;
    };
  };
  readonly v1?: string;
  readonly v2?: string;
  readonly refuse?: string;
}

const file = join(import.meta.dir, "../../fixtures/vectors/proxy-protocol.json");
const vectors = (JSON.parse(readFileSync(file, "utf8")) as { out: Vector[] }).out;
const endpoint = ({ address, port }: Address) => ({ address: parseAddress(address)!, port });

function factsOf({ in: given }: Vector): ProxyFacts {
  const { tls } = given;
  return {
    source: endpoint(given.src),
    destination: endpoint(given.dst),
    authority: given.sni ?? "",
    alpn: given.alpn ?? "",
    uniqueId: given.uniqueId === undefined ? null : Buffer.from(given.uniqueId, "hex"),
    crc32c: given.crc32c ?? false,
    tls:
      tls === undefined
        ? null
        : {
            version: tls.version,
            cipher: tls.cipher ?? "",
            resumed: tls.resumed ?? false,
            certificate: tls.clientCertificate
              ? {
                  commonName: tls.cn ?? null,
                  verify: tls.verify!,
                }
              : null,
          },
  };
}

describe("version 2", () => {
  for (const vector of vectors)
    test(vector.name, () => {
      const written = writeProxyHeader(factsOf(vector));
      if (vector.refuse !== undefined) expect(written.kind).toBe("refuse");
      else expect(written.kind === "ok" && written.bytes.toString("hex")).toBe(vector.v2!);
    });

  test("what is written is read again as it was", () => {
    for (const vector of vectors.filter(({ refuse }) => refuse === undefined)) {
      const facts = factsOf(vector);
      const written = writeProxyHeader(facts);
      if (written.kind !== "ok") throw new Error(vector.name);
      expect(written.bytes.length).toBeLessThanOrEqual(16 + MAX_PAYLOAD);
      const read = parseProxyHeader(written.bytes);
      expect(read).toMatchObject({ kind: "ok", version: 2, length: written.bytes.length });
      const { addresses } = read as Extract<typeof read, { kind: "ok" }>;
      expect([...addresses!.source.address]).toEqual([...facts.source.address]);
      expect([...addresses!.destination.address]).toEqual([...facts.destination.address]);
    }
  });
});

describe("version 1", () => {
  for (const vector of vectors.filter(({ v1 }) => v1 !== undefined))
    test(vector.name, () => expect(writeProxyLine(factsOf(vector)).toString("hex")).toBe(vector.v1!));
});
