// How much of a client's own name is logged, and kept while the connection lasts.

/** In UTF-16 units. */
const MAX_NAME = 256;

/**
 * A client id or user name as it is logged: its beginning, where it is long. It is a text of its own: a part of another one would hold the
 * whole of it in memory, up to 65535 bytes for as long as a connection lasts. Given its own result it gives that.
 */
export function loggedName(name: string): string {
  if (name.length <= MAX_NAME) return name;
  return `${Buffer.from(name.slice(0, MAX_NAME - 1), "utf16le").toString("utf16le")}…`;
}
