// Passwords of key stores that nobody has chosen.

import { randomInt } from "node:crypto";

/** Without what looks alike (l, 1, o, 0): some are typed on a phone. 32 letters are 5 bits each. */
const LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";
const GROUPS = 5;
const GROUP = 4;

/** 100 random bits, as `k3vw-p8ch-...`: ASCII, and long enough for keytool. */
export function newPassword(): string {
  const group = () => Array.from({ length: GROUP }, () => LETTERS[randomInt(LETTERS.length)]).join("");
  return Array.from({ length: GROUPS }, group).join("-");
}
