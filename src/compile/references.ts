// What to say of a name that refers to nothing.

import { bareName, qualify, shortName } from "../config/names.ts";
import { suggestion } from "../text/spelling.ts";

/** Names that are looked through for a hint: each of 1000 messages may have one. */
const MAX_COMPARED = 1000;

/** A hint for a reference in `provider` that means nothing: the same name in another provider, or one that is spelled alike. */
export function suggestReference(reference: string, provider: string, names: Iterable<string>): string {
  const wanted = bareName(qualify(reference, provider));
  const known = [...Iterator.from(names).take(MAX_COMPARED)];
  const elsewhere = known.filter((name) => bareName(name) === wanted);
  if (elsewhere.length > 0) return ` (did you mean "${shortName(elsewhere[0]!, provider)}"?)`;
  return suggestion(
    wanted,
    known.map((name) => shortName(name, provider)),
  );
}
