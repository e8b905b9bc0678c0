// Hashes of keys and of servers' names: the same in every worker, on every machine and after every start, so that several Sluices agree.

/** FNV-1a over UTF-16 units, with its bits mixed: 32 bits, signed. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mix(hash);
}

/** Spreads what differs in a few bits over all of them (the end of MurmurHash3). Two that differ stay different. */
export function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
