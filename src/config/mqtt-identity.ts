// The middleware mqttIdentity in the configuration.

import { z } from "zod";
import type { Code } from "./codes.ts";
import { field, section } from "./field.ts";

const template = z.string().min(1).max(1024);
const LINK = "[templates](mqtt.md#templates)";

const requirement = z
  .object({
    value: field(`A template for what is looked at: see ${LINK}.`, template, {
      otherwise: "required",
      example: "{mqtt.clientId}",
    }),
    equals: field(
      "A template: it must give exactly the same. Each entry has either this or `matches`.",
      template.optional(),
      { otherwise: "none", example: "{cert.cn}", nothingIsEmpty: true },
    ),
    matches: field(
      "A regular expression (RE2 syntax) that the whole value must match. A value of more than 1024 characters matches none.",
      template.optional(),
      { otherwise: "none", example: "dev-[0-9]{4}", nothingIsEmpty: true },
    ),
  })
  .superRefine(({ equals, matches }, context) => {
    const issue = (path: string[], message: string, code: Code) =>
      context.addIssue({ code: "custom", path, message, params: { code } });
    if (equals === undefined && matches === undefined) issue([], "needs equals or matches", "field-missing");
    if (equals !== undefined && matches !== undefined)
      issue(["matches"], "and equals are two requirements: make an entry of each", "fields-conflict");
  })
  .meta({ oneOf: ["equals", "matches"] });

// With nothing behind it, none of these may be taken for absent: the broker would believe what the client says.
export const mqttIdentity = section({
  username: field(`The user name that the broker gets, as a template: see ${LINK}.`, template.optional(), {
    otherwise: "what the client sends",
    example: "{cert.cn}",
    nothingIsEmpty: true,
  }),
  clientId: field("The client id that the broker gets, as a template.", template.optional(), {
    otherwise: "what the client sends",
    example: "{cert.cn}",
    nothingIsEmpty: true,
  }),
  password: field(
    "The password that the broker gets. `keep`: what the client sends. `strip`: none. Anything else is a template. May be written `${NAME}`: then it is the value of that variable in Sluice's environment, as it is.",
    template.default("keep"),
    { secret: true, words: ["keep", "strip"], example: "strip", nothingIsEmpty: true },
  ),
  passwordFile: field(
    "A file whose first line is the password that the broker gets, as it is: a secret that only Sluice and the broker know. It is read again when it changes.",
    z.string().min(1).optional(),
    { kind: "file", otherwise: "none", example: "/run/secrets/broker-password", nothingIsEmpty: true },
  ),
  require: field(
    "What must hold of a client; all of it. One for whom it does not is refused.",
    z.array(requirement).min(1, "must have an entry: with none every client would pass").optional(),
    { otherwise: "nothing", nothingIsEmpty: true },
  ),
}).superRefine(({ password, passwordFile }, context) => {
  if (passwordFile !== undefined && password !== "keep")
    context.addIssue({
      code: "custom",
      path: ["passwordFile"],
      message: "and password are two sources: give one of them",
      params: { code: "fields-conflict" satisfies Code },
    });
});

export type MqttIdentityConfig = z.output<typeof mqttIdentity>;
