// What a store holds as a file of the dynamic configuration: the values as they are in the store, in the form that the schema has.

import { stringify } from "yaml";
import { z } from "zod";
import type { Diagnostics } from "../../config/diagnostics.ts";
import { dynamicSchema } from "../../config/dynamic.ts";
import { fieldNames, unwrap } from "../../config/field.ts";
import { parseBool } from "../../config/scalars.ts";
import { isList, isMap, isNothing, isScalar, type YamlNode } from "../../config/yaml-nodes.ts";
import type { Entry } from "../engine.ts";
import { Sorter } from "../flat-parts.ts";
import { FlatSource } from "../flat-source.ts";

/** What belongs to no part of the configuration is left out, and told of. */
export function toYaml(entries: readonly Entry[], provider: string, diagnostics: Diagnostics): string {
  const parts = [...new Sorter(provider).sort(entries, diagnostics, () => undefined).values()];
  const source = new FlatSource(provider, provider, parts, diagnostics);
  if (parts.length === 0) return "{}\n";
  return stringify(plain(dynamicSchema, source.root), { lineWidth: 0 });
}

const ANYTHING = z.unknown();

function plain(schema: z.ZodType, node: YamlNode | null): unknown {
  const { type, meta } = unwrap(schema);
  if (node === null || isNothing(node)) return type.def.type === "array" ? [] : {};
  if (isScalar(node)) {
    const isSwitch = type.def.type === "boolean" || (type.def.type === "object" && meta.allowEmpty);
    if (isSwitch) return parseBool(node.text) ?? node.text;
    const isNumber = type.def.type === "number" || meta.numbers !== undefined;
    return isNumber && /^-?(?:0|[1-9]\d{0,14})$/.test(node.text) ? Number(node.text) : node.text;
  }
  if (isList(node)) {
    const element = type.def.type === "array" ? ((type as z.ZodArray).element as z.ZodType) : ANYTHING;
    return node.items.map((item) => plain(element, item));
  }
  if (!isMap(node)) return {};
  const names = type.def.type === "object" ? fieldNames(type as z.ZodObject) : null;
  return Object.fromEntries(
    node.items.map(({ key, value }) => {
      const written = isScalar(key) ? key.text : "";
      const name = names?.get(written.toLowerCase()) ?? written;
      const field =
        type.def.type === "record"
          ? ((type as z.ZodRecord).valueType as z.ZodType)
          : names === null
            ? ANYTHING
            : ((type as z.ZodObject).shape[name] as z.ZodType | undefined);
      return [name, plain(field ?? ANYTHING, value)];
    }),
  );
}
