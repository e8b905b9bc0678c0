// How places of the configuration are written.

import type { Place } from "../config/diagnostics.ts";

/** file:line, the form that editors and terminals turn into a link. */
export function placeOf(place: Place | undefined): string {
  if (place === undefined) return "";
  return place.line > 0 ? `${place.file}:${place.line}` : place.file;
}
