// Routers that differ only in what they ask of a client's CONNECT. That comes after TLS, so it is not known which of them is meant while
// TLS is set up: their TLS settings must be the same.

import { DEFAULT_OPTIONS, shortName } from "../config/names.ts";
import type { RouterAction } from "../protocol/messages.ts";
import { asksMqtt, type Rule } from "../rules/ast.ts";
import { beforeConnect } from "../rules/before-connect.ts";

export interface RuledRouter {
  readonly entryPoints: readonly string[];
  readonly rule: Rule;
  /** As it is configured, whether or not the router is off. */
  readonly action: RouterAction;
}

/** TLS settings in words, as one refers to them in `provider`. Without it, those that are written the same way have the same text. */
export function tlsSettings(action: RouterAction, provider = ""): string {
  if (action.kind !== "terminate") return "TLS that is passed through";
  return action.options === DEFAULT_OPTIONS
    ? "the default TLS options"
    : `the TLS options "${shortName(action.options, provider)}"`;
}

/**
 * Each router that shares an entry point with one of other TLS settings, from which it differs only in what it asks of MQTT, and that
 * other one. Costs nothing where no rule asks MQTT.
 */
export function tlsConflicts<T extends RuledRouter>(routers: readonly T[]): Map<T, T> {
  const conflicts = new Map<T, T>();
  const underTls = routers.filter(({ action }) => action.kind !== "plain");
  const asking = new Set(underTls.filter(({ rule }) => asksMqtt(rule)));
  if (asking.size === 0) return conflicts;
  const textOf = ({ rule }: T) => JSON.stringify(beforeConnect(rule));
  const wanted = new Set([...asking].map(textOf));
  for (const [text, alike] of Map.groupBy(underTls, textOf)) if (wanted.has(text)) compare(alike, asking, conflicts);
  return conflicts;
}

/** Routers that are alike before the CONNECT. Of those with equal settings that ask MQTT, or do not, the first stands for all. */
function compare<T extends RuledRouter>(alike: readonly T[], asking: ReadonlySet<T>, conflicts: Map<T, T>): void {
  const firsts = new Map<string, Map<string, T>>();
  const kindOf = (router: T) => `${asking.has(router)} ${tlsSettings(router.action)}`;
  for (const router of alike)
    for (const point of router.entryPoints) {
      let kinds = firsts.get(point);
      if (kinds === undefined) firsts.set(point, (kinds = new Map()));
      if (!kinds.has(kindOf(router))) kinds.set(kindOf(router), router);
    }
  for (const router of alike)
    for (const point of router.entryPoints)
      for (const other of firsts.get(point)!.values())
        if (
          !conflicts.has(router) &&
          (asking.has(router) || asking.has(other)) &&
          tlsSettings(other.action) !== tlsSettings(router.action)
        )
          conflicts.set(router, other);
}
