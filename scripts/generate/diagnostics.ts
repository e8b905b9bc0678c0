// The page of the codes of diagnostics: what each one means, and what to do.

import { CODES, type Explained } from "../../src/config/codes.ts";
import { code } from "./markdown.ts";

/** Every code of the table. */
export function codes(): string[] {
  return Object.values(CODES).flatMap((group) => Object.keys(group));
}

/** With a heading of its own, so that it can be linked to. */
function entry([name, { means, remedy }]: readonly [string, Explained]): string {
  return `### ${code(name)}\n\n${means}\n\nWhat to do: ${remedy[0]!.toLowerCase()}${remedy.slice(1)}\n`;
}

export function diagnosticsPage(): string {
  const groups = Object.entries(CODES).map(
    ([title, group]) => `## ${title}

${Object.entries(group).map(entry).join("\n")}`,
  );
  return `# Diagnostics

Everything that Sluice finds wrong with a configuration has a code. \`sluice check\` prints it in brackets at the end of a line, behind the
file, the line and the column; what is no error is called a warning:

\`\`\`
dynamic/mqtt.yml:4:7: unknown field "servce" in tcp.routers.mqtt (did you mean "service"?) [unknown-field]
dynamic/mqtt.yml:9:7: warning: the certificate expires on 2026-12-24 [certificate-expires-soon]
\`\`\`

The log has it in the field \`code\`, and the metric [\`sluice_config_diagnostics\`](reference/metrics.md) counts what is wrong by it.
The words of a message may change with a version of Sluice, and its code does not: let scripts and alerts go by codes.

${groups.join("\n")}`;
}
