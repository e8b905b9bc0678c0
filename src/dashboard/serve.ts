// Serves the dashboard's three files. Nothing in them is secret, and everything that they show they ask of the API, with the rights of
// whoever looks.

import { createHash } from "node:crypto";
import type { Answer, Handle } from "../admin/server.ts";
import { loadAssets } from "./assets.ts";
import type { Assets } from "./bundle.ts";

/** Nothing from elsewhere is loaded, sent or framed; no script and no style but ours runs. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;

interface File {
  readonly type: string;
  readonly body: Buffer;
  readonly tag: string;
}

/** @param path of the page, ending with a slash. */
export function serveDashboard(path: string): Handle {
  let files: Promise<ReadonlyMap<string, File>> | null = null;
  return async (question): Promise<Answer | null> => {
    if (question.path === path.slice(0, -1))
      return { status: 308, headers: { location: `${path.split("/").at(-2)!}/` }, body: "" };
    files ??= loadAssets().then(filesOf);
    const file = (await files).get(question.path.slice(path.length));
    if (file === undefined) return null;
    const headers = { ...HEADERS, etag: file.tag, "cache-control": "no-cache" };
    if (question.headers["if-none-match"] === file.tag) return { status: 304, type: file.type, headers, body: "" };
    return { type: file.type, headers, body: file.body };
  };
}

function filesOf({ html, script, style }: Assets): ReadonlyMap<string, File> {
  const file = (type: string, text: string): File => {
    const body = Buffer.from(text);
    return {
      type: `${type}; charset=utf-8`,
      body,
      tag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`,
    };
  };
  return new Map([
    ["", file("text/html", html)],
    ["app.js", file("text/javascript", script)],
    ["app.css", file("text/css", style)],
  ]);
}
