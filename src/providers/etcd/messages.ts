// The messages of etcd's API that Sluice sends and gets: numbers and types as in etcd's rpc.proto and kv.proto.

import { type INamespace, Root, type Type } from "protobufjs/light";

const of = (fields: Readonly<Record<string, readonly [id: number, type: string, rule?: "repeated"]>>) => ({
  fields: Object.fromEntries(
    Object.entries(fields).map(([name, [id, type, rule]]) => [name, { id, type, ...(rule && { rule }) }]),
  ),
});

const DESCRIPTION: INamespace = {
  nested: {
    ResponseHeader: of({ revision: [3, "int64"] }),
    KeyValue: of({ key: [1, "bytes"], modRevision: [3, "int64"], value: [5, "bytes"] }),
    RangeRequest: of({
      key: [1, "bytes"],
      rangeEnd: [2, "bytes"],
      limit: [3, "int64"],
      revision: [4, "int64"],
      keysOnly: [8, "bool"],
      minModRevision: [10, "int64"],
    }),
    RangeResponse: of({
      header: [1, "ResponseHeader"],
      kvs: [2, "KeyValue", "repeated"],
      more: [3, "bool"],
      count: [4, "int64"],
    }),
    PutRequest: of({ key: [1, "bytes"], value: [2, "bytes"] }),
    DeleteRangeRequest: of({ key: [1, "bytes"] }),
    // One of these.
    RequestOp: of({ requestPut: [2, "PutRequest"], requestDeleteRange: [3, "DeleteRangeRequest"] }),
    // Target 1 with result 0: the key's create revision is equal to this.
    Compare: of({ result: [1, "int32"], target: [2, "int32"], key: [3, "bytes"], createRevision: [5, "int64"] }),
    TxnRequest: of({ compare: [1, "Compare", "repeated"], success: [2, "RequestOp", "repeated"] }),
    TxnResponse: of({ header: [1, "ResponseHeader"], succeeded: [2, "bool"] }),
    WatchCreateRequest: of({ key: [1, "bytes"], rangeEnd: [2, "bytes"], startRevision: [3, "int64"] }),
    WatchRequest: of({ createRequest: [1, "WatchCreateRequest"] }),
    // Type 1 is a deletion.
    Event: of({ type: [1, "int32"], kv: [2, "KeyValue"] }),
    WatchResponse: of({
      created: [3, "bool"],
      canceled: [4, "bool"],
      compactRevision: [5, "int64"],
      cancelReason: [6, "string"],
      events: [11, "Event", "repeated"],
    }),
    AuthenticateRequest: of({ name: [1, "string"], password: [2, "string"] }),
    AuthenticateResponse: of({ token: [2, "string"] }),
  },
};

export interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly modRevision: Int64;
}

/** The library's 64-bit number. Revisions stay far below 2^53. */
export type Int64 = { toNumber(): number } | number;

export interface RangeAnswer {
  readonly header: { readonly revision: Int64 };
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  readonly count: Int64;
}

export interface WatchAnswer {
  readonly canceled: boolean;
  /** 0, or the first revision that is still kept. */
  readonly compactRevision: Int64;
  readonly cancelReason: string;
  readonly events: readonly { readonly type: number; readonly kv: KeyValue }[];
}

export function numberOf(value: Int64): number {
  return typeof value === "number" ? value : value.toNumber();
}

export interface Method {
  /** As the HTTP/2 path. */
  readonly path: string;
  readonly request: Type;
  readonly answer: Type;
}

const root = Root.fromJSON(DESCRIPTION);
const method = (path: string, request: string, answer: string): Method => ({
  path: `/etcdserverpb.${path}`,
  request: root.lookupType(request),
  answer: root.lookupType(answer),
});

export const RANGE = method("KV/Range", "RangeRequest", "RangeResponse");
export const TXN = method("KV/Txn", "TxnRequest", "TxnResponse");
export const WATCH = method("Watch/Watch", "WatchRequest", "WatchResponse");
export const AUTHENTICATE = method("Auth/Authenticate", "AuthenticateRequest", "AuthenticateResponse");
