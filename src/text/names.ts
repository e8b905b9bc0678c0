// Text from outside that becomes a name for someone else: a user name, a client id.

/**
 * Control characters (also U+0080-009F), and what Unicode assigns to no character: halves of surrogates, noncharacters. MQTT leaves it to
 * each broker whether to take them (3.1.1 and 5, 1.5.4), so with them two would see two names.
 */
const UNFIT = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;

/** Whether whoever reads this name next reads the same one. */
export function isFitForName(text: string): boolean {
  return !UNFIT.test(text);
}
