// Where clients come from: loopback addresses, as many as a row wants, each with ports of its own.

/** So many addresses, the first of them 127.`net`.0.1. */
export interface Sources {
  net: number;
  count: number;
}

/** Last bytes that are used: 1 to 250. */
const HOSTS = 250;

/** The address of the client with this number; they take turns. */
export function sourceOf({ net, count }: Sources, index: number): string {
  const at = index % count;
  const subnet = Math.floor(at / HOSTS);
  return `127.${net + (subnet >> 8)}.${subnet & 255}.${1 + (at % HOSTS)}`;
}
