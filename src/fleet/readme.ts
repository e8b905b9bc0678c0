// The README of a device's folder: what each file is, and what to set in its client.

import type { Device } from "./device.ts";
import { addressOf } from "./device.ts";
import { FAMILIES } from "./families.ts";
import { PASSWORD, type Role } from "./roles.ts";
import { inline, plain, shellWord, table } from "./words.ts";

export function readme(device: Device, files: readonly Pick<Role, "name" | "what">[], hasStores: boolean): string {
  const { title, settings } = FAMILIES[device.family];
  // What begins with a dash would be an option.
  const name = `${device.name.startsWith("-") ? "-- " : ""}${shellWord(device.name)}`;
  const until = new Date(device.notAfter).toISOString().slice(0, 10);
  const lines = [
    `# ${plain(device.name)}: ${title}`,
    "",
    `It connects to ${inline(addressOf(device))} with TLS, and with a certificate that is good until ${until}.`,
    ...(device.server.host === null
      ? ["`YOUR-SERVER` stands for the server's name, as the server's certificate has it."]
      : []),
    "",
    ...table(
      ["file", "what it is"],
      files.map(({ name, what }) => [`\`${name}\``, what] as const),
    ),
    "",
    ...(hasStores ? [passwordLine(device), ""] : []),
    ...(device.isKeyEncrypted ? ["`client.key` is encrypted, with the password that was given for it.", ""] : []),
    "## Settings",
    "",
    ...settings(device),
    "",
    "## Later",
    "",
    `${inline(`sluice certs renew ${name}`)} makes these files anew before they end, and`,
    `${inline(`sluice certs revoke ${name}`)} locks the device out when it is lost.`,
    "",
  ];
  return lines.join("\n");
}

function passwordLine({ hasPasswordFile }: Device): string {
  return hasPasswordFile
    ? `The password of the stores, and of the key in them, is the line in \`${PASSWORD}\`. Keep that file elsewhere once it is entered.`
    : "The stores, and the key in them, have the password that was given when they were made.";
}
