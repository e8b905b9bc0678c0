// sluice certs check is total: whatever a server answers, byte by byte changed, cut off or made up, it says what it saw within its time.

import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { ask } from "../../src/net/exchange.ts";
import { checkServer } from "../../src/survey/check.ts";
import { askTls, Patience } from "../../src/survey/questions.ts";
import { Authority } from "../support/certs.ts";
import { opensslServer } from "../support/openssl-server.ts";
import { random } from "../support/random.ts";
import { cleanup } from "../support/tools.ts";

const authority = await Authority.create();
const server = await authority.issue({ extensions: "crlDistributionPoints=URI:http://ca.test/list.crl" });
const ca = { file: authority.cert, certificates: [new X509Certificate(readFileSync(authority.cert))] };
