// mqttIdentity of the configuration as a row, and what at a router makes it useless.

import type { CertificateFiles } from "../certs/files.ts";
import { isVariable } from "../certs/secrets.ts";
import type { MqttIdentityConfig } from "../config/mqtt-identity.ts";
import type { MqttIdentityRow, PasswordRow, Requirement } from "../middlewares/mqtt-identity.ts";
import { type Placeholder, parseTemplate, placeholdersOf, type Template } from "../mqtt/template.ts";
import type { RouterAction } from "../protocol/messages.ts";
import { firstLine } from "./first-line.ts";
import { type CompiledMiddleware, type MiddlewareFault, regexpFault } from "./middleware-fault.ts";

export function compileMqttIdentity(value: MqttIdentityConfig, files: CertificateFiles): CompiledMiddleware {
  const faults: MiddlewareFault[] = [];
  let sound = true;
  const wrong = (path: MiddlewareFault["path"], message: string): null => {
    sound = false;
    faults.push({ code: "middleware-value", path, message });
    return null;
  };
  const template = (source: string | undefined, path: MiddlewareFault["path"]): Template | null => {
    if (source === undefined) return null;
    const read = parseTemplate(source);
    return read.kind === "ok" ? read.template : wrong(path, `its template ${JSON.stringify(source)}: ${read.message}`);
  };
  const password = (): PasswordRow | null => {
    const { password: given, passwordFile } = value;
    const isSecret = passwordFile !== undefined || isVariable(given);
    if (!isSecret && (given === "keep" || given === "strip")) return { kind: given };
    if (!isSecret) {
      const read = parseTemplate(given);
      // It may be a password that was meant to be taken as it is.
      return read.kind === "ok"
        ? { kind: "template", template: read.template }
        : wrong(["password"], `its template: ${read.unquoted}. A password with braces goes into a passwordFile`);
    }
    if (passwordFile === undefined) {
      const variable = files.secret(given, undefined);
      if (variable.kind === "error") return wrong(["password"], variable.message);
      return variable.value ? { kind: "secret", secret: variable.value } : wrong(["password"], `${given} is empty`);
    }
    const outcome = files.text(passwordFile, firstLine);
    if (outcome.kind === "ok") return { kind: "secret", secret: outcome.value };
    faults.push({ code: outcome.code, path: ["passwordFile"], message: outcome.message });
    return outcome.former === null ? null : { kind: "secret", secret: outcome.former };
  };
  const requirement = (
    entry: NonNullable<MqttIdentityConfig["require"]>[number],
    index: number,
  ): Requirement | null => {
    const looked = template(entry.value, ["require", index, "value"]);
    if (entry.matches !== undefined) {
      const fault = regexpFault(entry.matches);
      if (fault !== null) return wrong(["require", index, "matches"], fault);
      if (looked !== null && placeholdersOf(looked).length === 0)
        return wrong(
          ["require", index, "value"],
          "it has no placeholder such as {cert.cn}: it is the same for every client",
        );
      return looked === null ? null : { value: looked, matches: entry.matches };
    }
    const equals = template(entry.equals, ["require", index, "equals"]);
    if (looked === null || equals === null) return null;
    if (entry.value === entry.equals)
      return wrong(
        ["require", index],
        "value and equals are the same text, which no client fails: to ask only that there is a value, write  matches: .+",
      );
    if (placeholdersOf(looked).length + placeholdersOf(equals).length === 0)
      return wrong(["require", index], "it has no placeholder such as {cert.cn}: it would refuse every client");
    return { value: looked, equals };
  };
  const row = {
    username: template(value.username, ["username"]),
    clientId: template(value.clientId, ["clientId"]),
    password: password(),
    require: (value.require ?? []).map(requirement).filter((each) => each !== null),
  };
  const changes = row.username !== null || row.clientId !== null || row.password?.kind !== "keep";
  if (sound && !changes && row.require.length === 0)
    wrong([], "it changes nothing and requires nothing: give it a username, a clientId, a password or require");
  const { password: made } = row;
  return { row: sound && made !== null ? { kind: "mqttIdentity", ...row, password: made } : null, faults };
}

/** Why every client of such a router would be refused; null if not. `verifying`: the TLS options that check clients' certificates. */
export function whyNobodyPasses(
  row: MqttIdentityRow,
  action: RouterAction,
  verifying: ReadonlySet<string>,
): string | null {
  const asked = askedBy(row);
  const certificate = asked.find((each) => each.startsWith("cert."));
  const [fromTls] = asked.filter((each) => each === "sni" || each === certificate);
  if (action.kind === "plain" && fromTls !== undefined)
    return `asks for {${fromTls}}, and the router has no TLS: every client would be refused`;
  if (action.kind !== "terminate" || certificate === undefined || verifying.has(action.options)) return null;
  return `asks for {${certificate}}, and the router's TLS options do not verify clients' certificates, so none counts and every client would be refused: give them clientAuth with caFiles`;
}

function askedBy({ username, clientId, password, require }: MqttIdentityRow): Placeholder[] {
  const templates = [
    username,
    clientId,
    password.kind === "template" ? password.template : null,
    ...require.flatMap((each) => ("equals" in each ? [each.value, each.equals] : [each.value])),
  ];
  return templates.flatMap((each) => (each === null ? [] : placeholdersOf(each)));
}
