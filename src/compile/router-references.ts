// What a router names: entry points, a service, TLS options, middlewares. Without one of them it is off, or not on that entry point.

import type { Code } from "../config/codes.ts";
import type { Diagnostics, Subject } from "../config/diagnostics.ts";
import { bareName, DEFAULT_OPTIONS, qualify } from "../config/names.ts";
import type { RouterConfig } from "../config/router.ts";
import { type MiddlewareRow, stageOf } from "../middlewares/row.ts";
import type { RouterAction } from "../protocol/messages.ts";
import { suggestion } from "../text/spelling.ts";
import { whyNobodyPasses } from "./identity.ts";
import type { Item } from "./merge.ts";
import { suggestReference } from "./references.ts";
import type { Fail, RoutersInput } from "./router-draft.ts";

function servingNames(entryPoints: RoutersInput["entryPoints"]): string[] {
  return [...entryPoints.values()].filter((point) => !point.admin).map((point) => point.name);
}

const usual = new WeakMap<RoutersInput["entryPoints"], readonly string[]>();

/** Those that serve routers which name none: one list for all of them. */
function usualOf(entryPoints: RoutersInput["entryPoints"]): readonly string[] {
  let names = usual.get(entryPoints);
  if (names === undefined) {
    const serving = [...entryPoints.values()].filter((point) => !point.admin);
    const defaults = serving.filter((point) => point.asDefault);
    // As in Traefik, the entry point "traefik" serves routers only when they name it.
    const all = serving.filter((point) => point.name !== "traefik");
    names = (defaults.length > 0 ? defaults : all).map((point) => point.name);
    usual.set(entryPoints, names);
  }
  return names;
}

/** Those of them that exist; all that serve by default where it names none. */
export function entryPointsOf(
  about: Subject,
  item: Item<RouterConfig>,
  input: RoutersInput,
  diagnostics: Diagnostics,
): readonly string[] {
  const { value: router } = item;
  if (router.entryPoints === undefined || router.entryPoints.length === 0) return usualOf(input.entryPoints);
  const found: string[] = [];
  for (const [index, wanted] of router.entryPoints.entries()) {
    const point = input.entryPoints.get(wanted);
    if (point !== undefined && !point.admin) {
      if (!found.includes(wanted)) found.push(wanted);
      continue;
    }
    const why =
      point === undefined
        ? `does not exist${suggestion(wanted, servingNames(input.entryPoints))}`
        : "serves /metrics or /ping, and no routers";
    diagnostics.warn(
      point === undefined ? "entry-point-unknown" : "entry-point-admin",
      () => item.at("entryPoints", index),
      `the router "${bareName(about.name)}": the entry point "${wanted}" ${why}`,
      about,
    );
  }
  return found;
}

/** Its name with its provider; null: there is none. */
export function serviceOf(
  { value: router, at, provider }: Item<RouterConfig>,
  input: RoutersInput,
  fail: Fail,
): string | null {
  if (router.service === undefined || router.service === "") {
    fail("service-missing", () => at(), "it names no service");
    return null;
  }
  const name = qualify(router.service, provider);
  const draft = input.services.get(name);
  if (draft === undefined) {
    fail(
      "service-unknown",
      () => at("service"),
      () =>
        `the service "${router.service}" does not exist${suggestReference(router.service!, provider, input.services.keys())}`,
    );
    return null;
  }
  if (draft.row === null)
    fail("service-off", () => at("service"), `the service "${router.service}" is off`, { kind: "service", name });
  return name;
}

export function actionOf(
  { value: router, at, provider }: Item<RouterConfig>,
  input: RoutersInput,
  fail: Fail,
): RouterAction {
  if (router.tls === undefined) return { kind: "plain" };
  if (router.tls.passthrough) return { kind: "passthrough" };
  const reference = router.tls.options ?? DEFAULT_OPTIONS;
  const isDefault = bareName(qualify(reference, provider)) === DEFAULT_OPTIONS;
  const name = isDefault ? DEFAULT_OPTIONS : qualify(reference, provider);
  const sound = input.options.get(name);
  if (sound === undefined) {
    fail(
      "options-unknown",
      () => at("tls", "options"),
      () =>
        `the TLS option "${reference}" does not exist${suggestReference(reference, provider, input.options.keys())}`,
    );
  } else if (!sound)
    fail("options-off", () => at("tls"), `the TLS option "${reference}" is broken`, { kind: "tlsOptions", name });
  return { kind: "terminate", options: name };
}

/** Those of them that the router can have. */
export function middlewaresOf(
  { value: router, at, provider }: Item<RouterConfig>,
  action: RouterAction,
  input: RoutersInput,
  fail: Fail,
): string[] {
  const found: string[] = [];
  for (const [index, reference] of router.middlewares.entries()) {
    const name = qualify(reference, provider);
    const row = input.middlewares.get(name);
    const wrong = (code: Code, message: string | (() => string), because?: Subject) =>
      fail(
        code,
        () => at("middlewares", index),
        () => `the middleware "${reference}" ${typeof message === "string" ? message : message()}`,
        because,
      );
    if (row === undefined)
      wrong(
        "middleware-unknown",
        () => `does not exist${suggestReference(reference, provider, input.middlewares.keys())}`,
      );
    else if (row === null) wrong("middleware-off", "is off", { kind: "middleware", name });
    else if (action.kind === "passthrough" && stageOf(row) !== "address")
      wrong("middleware-misplaced", "reads what TLS hides, and the router passes TLS through");
    else {
      const same = whyNobodyDiffers(row, action, input.verifying);
      if (same !== null) {
        wrong("middleware-misplaced", same);
        continue;
      }
      const why = row.kind === "mqttIdentity" ? whyNobodyPasses(row, action, input.verifying) : null;
      if (why === null) found.push(name);
      else wrong("identity-impossible", why);
    }
  }
  return found;
}

/** Why a middleware would tell clients apart by what none of the router's has; null: it would not. */
function whyNobodyDiffers(
  row: MiddlewareRow,
  action: RouterAction,
  verifying: RoutersInput["verifying"],
): string | null {
  const key = row.kind === "inFlightConn" || row.kind === "rateLimit" ? row.key : null;
  if (key === "sni" && action.kind === "plain") return "counts by server names, and the router has no TLS";
  if (key !== "certificate" || (action.kind === "terminate" && verifying.has(action.options))) return null;
  return "counts by clients' certificates, and the router verifies none: give it TLS options that have clientAuth with caFiles";
}
