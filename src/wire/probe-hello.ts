// Writes a ClientHello that asks a server what it would do: one that offers a single version, or as much as possible of it. It need not
// lead to a session, because whoever sends it only reads what comes back.

/** Versions by their numbers on the wire. */
export const TLS_VERSIONS = { "1.0": 0x0301, "1.1": 0x0302, "1.2": 0x0303, "1.3": 0x0304 } as const;
export type TlsVersion = keyof typeof TLS_VERSIONS;

/** Numbers of extensions that both sides of a hello speak of. */
export const EXTENSION = {
  serverName: 0,
  maxFragmentLength: 1,
  statusRequest: 5,
  groups: 10,
  pointFormats: 11,
  signatures: 13,
  alpn: 16,
  extendedMasterSecret: 23,
  recordSizeLimit: 28,
  versions: 43,
  authorities: 47,
  keyShare: 51,
  renegotiation: 0xff01,
} as const;

/** max_fragment_length (RFC 6066 4) for 512 bytes, the shortest. */
export const SHORTEST_FRAGMENT = { code: 1, bytes: 512 } as const;

export interface KeyShare {
  readonly group: number;
  readonly key: Uint8Array;
}

export interface ProbeHello {
  /** The one that is offered in TLS 1.3; before, the highest (RFC 5246 E.1), which a server may undercut. */
  readonly version: TlsVersion;
  /** null sends no SNI. In ASCII. */
  readonly serverName: string | null;
  readonly alpn: readonly string[];
  /** By their numbers, the preferred first. */
  readonly suites: readonly number[];
  readonly groups: readonly number[];
  /** Of TLS 1.3; none before. */
  readonly keyShares: readonly KeyShare[];
  /** Asks for records of 512 bytes, by max_fragment_length. */
  readonly shortFragments?: boolean;
  /** Asks for records of so many bytes at most, by record_size_limit (RFC 8449); in TLS 1.3 the type of the content counts too. */
  readonly recordSizeLimit?: number;
  /** 32 bytes. */
  readonly random: Uint8Array;
  /** 32 bytes: a session that there never was, as TLS 1.3 wants it for the sake of middleboxes (RFC 8446 D.4). */
  readonly sessionId: Uint8Array;
}

/** Signatures of every kind that a certificate may have, SHA-1 last, so that a server with an old chain answers too. */
const SIGNATURES = [
  ...[0x0403, 0x0503, 0x0603, 0x0807, 0x0808],
  ...[0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b],
  ...[0x0401, 0x0501, 0x0601, 0x0203, 0x0201],
];

/** The handshake message, with its header. */
export function writeHello(hello: ProbeHello): Buffer {
  const is13 = hello.version === "1.3";
  const extensions = [
    ...(hello.serverName === null ? [] : [extension(EXTENSION.serverName, serverName(hello.serverName))]),
    extension(EXTENSION.groups, vector(2, numbers(hello.groups))),
    // SHA-1 and MD5 are fixed before TLS 1.2, and such servers may refuse what they do not know.
    ...(TLS_VERSIONS[hello.version] >= 0x0303 ? [extension(EXTENSION.signatures, vector(2, numbers(SIGNATURES)))] : []),
    ...(hello.alpn.length === 0
      ? []
      : [extension(EXTENSION.alpn, vector(2, Buffer.concat(hello.alpn.map((each) => vector(1, Buffer.from(each))))))]),
    // OCSP, with no list of responders and no extensions.
    extension(EXTENSION.statusRequest, Buffer.from([1, 0, 0, 0, 0])),
    ...(hello.shortFragments ? [extension(EXTENSION.maxFragmentLength, Buffer.from([SHORTEST_FRAGMENT.code]))] : []),
    ...(hello.recordSizeLimit === undefined
      ? []
      : [extension(EXTENSION.recordSizeLimit, numbers([hello.recordSizeLimit]))]),
    ...(is13
      ? [
          extension(EXTENSION.versions, vector(1, numbers([TLS_VERSIONS["1.3"]]))),
          extension(
            EXTENSION.keyShare,
            vector(
              2,
              Buffer.concat(hello.keyShares.map(({ group, key }) => Buffer.concat([numbers([group]), vector(2, key)]))),
            ),
          ),
        ]
      : [
          extension(EXTENSION.pointFormats, Buffer.from([1, 0])),
          extension(EXTENSION.extendedMasterSecret, Buffer.alloc(0)),
          extension(EXTENSION.renegotiation, Buffer.from([0])),
        ]),
  ];
  const body = Buffer.concat([
    numbers([Math.min(TLS_VERSIONS[hello.version], 0x0303)]),
    hello.random,
    is13 ? vector(1, hello.sessionId) : Buffer.from([0]),
    vector(2, numbers(hello.suites)),
    Buffer.from([1, 0]), // no compression
    vector(2, Buffer.concat(extensions)),
  ]);
  return Buffer.concat([Buffer.from([1]), vector(3, body)]);
}

/** The record that carries a hello (RFC 8446 5.1). `message` has less than 16 kB. */
export function helloRecord(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([22, 3, 1]), vector(2, message)]);
}

function serverName(name: string): Buffer {
  return vector(2, Buffer.concat([Buffer.from([0]), vector(2, Buffer.from(name, "latin1"))]));
}

function extension(type: number, body: Uint8Array): Buffer {
  return Buffer.concat([numbers([type]), vector(2, body)]);
}

/** Bytes with their length before them, in `size` bytes. */
function vector(size: 1 | 2 | 3, bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(size);
  length.writeUIntBE(bytes.length, 0, size);
  return Buffer.concat([length, bytes]);
}

function numbers(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, index * 2);
  return bytes;
}
