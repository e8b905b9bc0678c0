// Every recorded PROXY header is read as the text of the protocol has it, however it is cut; test/fixtures/vectors/proxy-protocol.json.

import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../../src/ip/address.ts";
import { MAX_PROXY_HEADER, parseProxyHeader } from "../../../src/wire/proxy-protocol.ts";
import { bytesOf, type Recorded, readVectors } from "../../support/recorded.ts";

interface Fields {
  readonly version: number;
  readonly headerLength: number;
  readonly src: { readonly address: string; readonly port: number } | null;
  readonly dst: { readonly address: string; readonly port: number } | null;
  readonly tlvs?: readonly (readonly [number, string])[];
}

interface Vector extends Recorded {
  readonly name: string;
  readonly outcome: "ok" | "local" | "bad" | "more" | "none";
  readonly fields: Fields | null;
  readonly choice?: string;
}

const vectors = (readVectors("proxy-protocol.json") as { in: Vector[] }).in;

/** Where the text leaves a choice, ours, by the name of the vector. The reasons are in docs/security.md. */
const CHOSEN: Readonly<Record<string, "bad" | "ok">> = {
  // No datagram comes by TCP, and no rule could judge the path of a socket.
  "v2-udp4": "bad",
  "v2-unix": "bad",
  // Over our limit.
  "v2-payload-65535": "bad",
};

const parsedEndpoint = (each: Fields["src"]) =>
  each === null ? null : { address: [...parseAddress(each.address)!], port: each.port };

describe("a header is read as recorded", () => {
  for (const vector of vectors)
    test(vector.name, () => {
      const bytes = bytesOf(vector);
      const result = parseProxyHeader(bytes);
      const expected = CHOSEN[vector.name] ?? (vector.outcome === "local" ? "ok" : vector.outcome);
      expect(result.kind).toBe(expected);
      if (result.kind !== "ok") return;
      const { version, headerLength, src = null, dst = null, tlvs } = vector.fields!;
      expect([result.version as number, result.length]).toEqual([version, headerLength]);
      const { addresses } = result;
      const listed = addresses && { ...addresses.source, address: [...addresses.source.address] };
      expect(listed).toEqual(parsedEndpoint(src));
      expect(addresses && { ...addresses.destination, address: [...addresses.destination.address] }).toEqual(
        parsedEndpoint(dst),
      );
      if (tlvs !== undefined && addresses !== null)
        expect(result.tlvs.map(([type, value]) => [type, Buffer.from(value).toString("hex")])).toEqual(
          tlvs.map(([type, value]) => [type, value]),
        );
    });
});

test("every beginning of a good header waits for more, and none is taken for another protocol", () => {
  const good = vectors.filter((vector) => (CHOSEN[vector.name] ?? vector.outcome) === "ok");
  expect(good.length).toBeGreaterThan(30);
  for (const vector of good) {
    const bytes = bytesOf(vector);
    for (let length = 0; length < vector.fields!.headerLength; length++)
      expect(parseProxyHeader(bytes.subarray(0, length)).kind, `${vector.name}, ${length} bytes`).toBe("more");
  }
});

test("no bytes make it wait for more than its limit", () => {
  const endless = [Buffer.from("PROXY TCP4 "), Buffer.from("0d0a0d0a000d0a515549540a2111ffff", "hex")];
  for (const start of endless) {
    const bytes = Buffer.concat([start, Buffer.alloc(MAX_PROXY_HEADER, 0x31)]);
    expect(parseProxyHeader(bytes.subarray(0, MAX_PROXY_HEADER)).kind).toBe("bad");
  }
});
