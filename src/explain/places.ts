// How names and places of the configuration are written.

import type { Place } from "../config/diagnostics.ts";

/** A router's name without the provider. */
export function bareName(router: string): string {
  return router.slice(0, router.lastIndexOf("@"));
}

/** file:line, the form that editors and terminals turn into a link. */
export function placeOf(place: Place | undefined): string {
  if (place === undefined) return "";
  return place.line > 0 ? `${place.file}:${place.line}` : place.file;
}
