// mqttAuth of the configuration as a row, and its password file in parts.

import { randomBytes } from "node:crypto";
import type { CertificateFiles, Outcome, Parsed } from "../certs/files.ts";
import type { Diagnostics, Subject } from "../config/diagnostics.ts";
import type { MqttAuthConfig } from "../config/mqtt-auth.ts";
import type { MqttAuthRow } from "../middlewares/mqtt-auth.ts";
import { type LineFault, readPasswordFile } from "../mqtt/password-file.ts";
import { splitUsers, type Users } from "../mqtt/user-parts.ts";

/** Faulty lines of one file that have a diagnostic of their own. */
const MAX_LINES = 20;

/** Decides how unknown names are hashed: the same in all workers and after each reload. */
const KEY = randomBytes(32).toString("base64");

/** A password file as it is kept from one load to the next. */
interface PasswordFile {
  readonly users: Users;
  /** The parts of it, by their names. */
  readonly texts: ReadonlyMap<string, string>;
  readonly faults: readonly LineFault[];
  readonly faultCount: number;
}

/** The password files of one load. */
export class PasswordFiles {
  /** The parts of them, by their names: what goes to the workers. */
  readonly texts = new Map<string, string>();
  readonly #files: CertificateFiles;
  readonly #diagnostics: Diagnostics;
  /** Files whose lines have been looked at. */
  readonly #seen = new Set<string>();

  constructor(files: CertificateFiles, diagnostics: Diagnostics) {
    this.#files = files;
    this.#diagnostics = diagnostics;
  }

  /** The row of one middleware; `former` is by what its file held before. Lines that cannot be used are diagnostics at their places. */
  row({ passwordFile, ...settings }: MqttAuthConfig, about: Subject): Outcome<MqttAuthRow> {
    const outcome = this.#files.text(passwordFile, parse);
    const rowOf = ({ users, texts }: PasswordFile): MqttAuthRow => {
      for (const [name, text] of texts) this.texts.set(name, text);
      return { kind: "mqttAuth", users, key: KEY, ...settings };
    };
    if (outcome.kind === "error") return { ...outcome, former: outcome.former === null ? null : rowOf(outcome.former) };
    if (!this.#seen.has(passwordFile)) this.#tell(passwordFile, outcome.value, about);
    this.#seen.add(passwordFile);
    return { kind: "ok", value: rowOf(outcome.value) };
  }

  #tell(file: string, { users, faults, faultCount }: PasswordFile, about: Subject): void {
    const whole = { file, line: 0, column: 0 };
    const shown = faults.slice(0, MAX_LINES);
    for (const { line, message } of shown)
      this.#diagnostics.error("password-line", { file, line, column: 1 }, message, about);
    if (faultCount > shown.length) {
      const more = `${faultCount - shown.length} more lines cannot be used, and their users are refused`;
      this.#diagnostics.error("password-line", whole, more, about);
    }
    if (users.count > 0) return;
    const nobody = "it has no user that could come in: nobody comes in by a password";
    this.#diagnostics.warn("password-file-empty", whole, nobody, about);
  }
}

function parse(text: string): Parsed<PasswordFile> {
  const read = readPasswordFile(text);
  if (read.kind === "bad") return { kind: "error", code: "password-file", message: read.message };
  const { faults, faultCount } = read.file;
  return { kind: "ok", value: { ...splitUsers(read.file.users), faults, faultCount } };
}
