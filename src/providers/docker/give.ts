// What one container stands for: whether it counts, whether it serves, and its parts of the configuration.

import type { Constraint } from "../../config/providers/constraints.ts";
import type { Template } from "../../config/providers/default-rule.ts";
import { formatHostPort } from "../../config/scalars.ts";
import type { EngineRemark } from "../engine.ts";
import { boundTo, chooseAddress, choosePort, type Surroundings } from "./address.ts";
import { configure, type Workload } from "./configure.ts";
import type { Container } from "./container.ts";
import { type Labels, readLabels } from "./labels.ts";
import type { Given } from "./parts.ts";

/** What the configuration says of all containers alike. */
export interface Choices {
  readonly exposedByDefault: boolean;
  readonly network: string | null;
  readonly defaultRule: Template | null;
  readonly constraints: Constraint;
  readonly allowEmptyServices: boolean;
  readonly useBindPortIP: boolean;
}

export interface Gift {
  /** null: it stands for nothing. */
  readonly given: Given | null;
  readonly remarks: readonly EngineRemark[];
}

const NOTHING: Gift = { given: null, remarks: [] };

/** Remarks that begin with what they are about, whatever it is called. */
export class Remarks {
  readonly list: EngineRemark[] = [];
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  say(severity: EngineRemark["severity"], code: EngineRemark["code"], message: string, label?: string): void {
    const place = label === undefined ? this.#what : `${this.#what}, label ${label}`;
    this.list.push({ severity, code, place, message });
  }

  /** What is wrong with the labels themselves. */
  ofLabels({ problems, isDoubtful }: Labels): void {
    for (const { severity, code, label, message } of problems) this.say(severity, code, message, label);
    if (isDoubtful)
      this.say(
        "error",
        "label-value",
        "whether it is to be served is not known: its routers keep their names and refuse",
      );
  }
}

/** @param find another container, by its id. */
export function giveOf(
  container: Container,
  choices: Choices,
  surroundings: Surroundings,
  find: (id: string) => Container | null,
): Gift {
  const labels = readLabels(container.labels, "docker");
  if (!isMeant(labels, choices, container.labels)) return NOTHING;
  const what = `container ${container.name}`;
  const remarks = new Remarks(what);
  remarks.ofLabels(labels);
  const standing = standingOf(container, labels, choices);
  if (standing.kind === "out") {
    if (standing.why !== null && labels.values.length > 0) remarks.say("warning", "container-unhealthy", standing.why);
    return { given: null, remarks: remarks.list };
  }
  const wanted = labels.network ?? choices.network;
  const { parts, problems } = configure(
    {
      what,
      described: { name: nameOf(container), containerName: container.name, labels: container.labels },
      isEnabled: labels.enable === true,
      values: labels.values,
      isServing: standing.isServing && !labels.isDoubtful,
      port: () => choosePort(container),
      addresses: addressesOf(container, wanted, choices, surroundings, find, remarks),
    },
    choices.defaultRule,
  );
  for (const { severity, code, message, label } of problems) remarks.say(severity, code, message, label);
  return { given: parts.length === 0 ? null : { what, parts }, remarks: remarks.list };
}

/** Whether somebody wants it to be looked at. One of which that is not known is, so that its names are kept. */
export function isMeant(
  { enable, isDoubtful }: Labels,
  { exposedByDefault, constraints }: Pick<Choices, "exposedByDefault" | "constraints">,
  labels: Readonly<Record<string, string>>,
): boolean {
  return (isDoubtful || (enable ?? exposedByDefault)) && constraints(labels);
}

type Standing =
  | { readonly kind: "in"; readonly isServing: boolean }
  /** `why` is news where it is not meant. */
  | { readonly kind: "out"; readonly why: string | null };

function standingOf({ state, health }: Container, labels: Labels, { allowEmptyServices }: Choices): Standing {
  if (state !== "running")
    return labels.allowNonRunning ? { kind: "in", isServing: false } : { kind: "out", why: null };
  if (health === null || health === "healthy") return { kind: "in", isServing: true };
  if (allowEmptyServices) return { kind: "in", isServing: false };
  const how = health === "starting" ? "is starting, and its health check has not passed yet" : "is unhealthy";
  return { kind: "out", why: `${how}: it is served again when it is healthy` };
}

/** Compose's service and project where it is from there, as in Traefik. */
export function nameOf({ name, labels }: Pick<Container, "name" | "labels">): string {
  const service = labels["com.docker.compose.service"];
  const project = labels["com.docker.compose.project"];
  return service === undefined || project === undefined ? name : `${service}_${project}`;
}

function addressesOf(
  container: Container,
  wanted: string | null,
  { useBindPortIP }: Choices,
  surroundings: Surroundings,
  find: (id: string) => Container | null,
  remarks: Remarks,
): Workload["addresses"] {
  let isTold = false;
  return (port) => {
    const bound = useBindPortIP ? boundTo(container, port) : null;
    if (bound !== null) return { kind: "ok", addresses: [formatHostPort(bound.host, bound.port)] };
    const chosen = chooseAddress(container, wanted, surroundings, find);
    if (chosen.kind === "none") return chosen;
    if (chosen.remark !== null && !isTold) remarks.say("warning", chosen.remark.code, chosen.remark.message);
    isTold = true;
    return { kind: "ok", addresses: [formatHostPort(chosen.host, port)] };
  };
}
