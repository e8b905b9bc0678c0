// The commands on an authority of one's own, with their options.

import type { Command } from "commander";
import { FAMILY_NAMES, STORE_KINDS } from "../fleet/names.ts";
import type { ClientOptions } from "./certs-client.ts";
import type { InitOptions } from "./certs-init.ts";
import type { IssueOptions } from "./certs-issue.ts";
import type { RenewOptions } from "./certs-renew.ts";
import type { ListOptions, RevokeOptions } from "./certs-revoke.ts";
import type { SignOptions } from "./certs-sign.ts";
import type { Terminal } from "./terminal.ts";

const DIRECTORY = "authority";
const KEYS = "ec (P-256), ec384, ed25519, rsa2048, rsa3072, rsa4096, or rsa";

const PROPERTIES =
  "instead of names: ThingsBoard's keygen.properties (or Tempus's); the files that its script makes, where the command runs or in --out";

interface Properties {
  readonly thingsboard?: string;
}

/** Adds them to `certs`. `refuseFlags`: none of them reads the configuration. */
export function addAuthorityCommands(
  certs: Command,
  terminal: Terminal,
  refuseFlags: () => void,
  done: (code: number) => void,
): void {
  withPassphrase(
    certs
      .command("init")
      .description("make an authority that issues certificates for servers and clients")
      .option("--dir <directory>", "where it is kept", DIRECTORY)
      .option("--name <name>", "what it is called in its certificates (default: a name that no other has)")
      .option("--days <number>", "how long it is good (default: 3650)")
      .option("--key <kind>", `its key: ${KEYS} of 3072 bits`, "ec")
      .option("--intermediate", "make an authority below it that issues, so that its own key can be kept offline"),
    "encrypts its key",
  ).action(async (options: InitOptions) => {
    refuseFlags();
    done(await (await import("./certs-init.ts")).initAuthority(options, terminal));
  });
  withKey(
    certs
      .command("server")
      .argument("[names...]", "DNS names, *.example.com too, and addresses")
      .description("issue a certificate for a server with these names, and print the lines for the dynamic file")
      .option("--out <directory>", "it goes into a folder of its own in there", "servers")
      .option("--days <number>", "how long it is good (default: 397)")
      .option("--thingsboard <file>", PROPERTIES),
  ).action(async (names: string[], options: IssueOptions & Properties, command: Command) => {
    refuseFlags();
    if (options.thingsboard !== undefined) {
      done(await byProperties("server", names, options.thingsboard, options, command, terminal));
      return;
    }
    if (names.length === 0) command.error("error: missing required argument 'names'");
    done(await (await import("./certs-issue.ts")).issueServer(names, options, terminal));
  });
  withStorePassword(
    withKey(
      certs
        .command("client")
        .argument("[names...]", "one client each")
        .description("issue a certificate for each of these clients, and make a folder with what it needs")
        .option(
          "--from <file>",
          "instead of names: a table in CSV with a column 'name', and any of for, days, key, dns, ip, uri, email",
        )
        .option("--for <family>", `what kind of client it is: ${FAMILY_NAMES.join(", ")} (default: PEM files alone)`)
        .option(
          "--host <name[:port]>",
          "the server, for the READMEs (default: the one that the authority has issued to)",
        )
        .option(
          "--store <format>",
          `the format of key stores: ${STORE_KINDS.join(", ")} (default: what the family uses)`,
        )
        .option("--legacy [cipher]", "PKCS#12 for old Androids and Java 8: rc2, or 3des")
        .option("--out <directory>", "each goes into a folder of its own in there", "clients")
        .option("--days <number>", "how long they are good (default: 825)")
        .option("--thingsboard <file>", PROPERTIES),
    ),
    "the password of key stores (default: each gets its own): the first line of this file",
  ).action(async (names: string[], options: ClientOptions & Properties, command: Command) => {
    refuseFlags();
    if (options.thingsboard !== undefined) {
      done(await byProperties("client", names, options.thingsboard, options, command, terminal));
      return;
    }
    done(await (await import("./certs-client.ts")).issueClients(names, options, terminal));
  });
  withAuthority(
    certs
      .command("sign")
      .argument("<request>", "a signing request (PKCS#10) in PEM or DER")
      .description("issue a certificate for a key that somebody else has")
      .option("--for <purpose>", "server or client (default: what the request asks for)")
      .option("--name <names...>", "what it is issued to, instead of the names in the request")
      .option("--out <file>", "where the certificate goes (default: beside the request, as .crt)")
      .option("--days <number>", "how long it is good (default: 397 for servers, 825 for clients)")
      .option("--insecure", "sign for a key that is not safe: RSA of 1024 bits")
      .option("--force", "replace what is there"),
  ).action(async (request: string, options: SignOptions) => {
    refuseFlags();
    done(await (await import("./certs-sign.ts")).signRequest(request, options, terminal));
  });
  withStorePassword(
    withKeyForm(
      withAuthority(
        certs
          .command("renew")
          .argument("[names...]", "names or serial numbers of what was issued before")
          .description("issue certificates anew for the same names, and replace their files")
          .option("--within <days>", "without names: all that end within so many days")
          .option("--days <number>", "how long they are good (default: 397 for servers, 825 for clients)")
          .option("--sameKey", "keep the key, and replace the certificate alone")
          .option("--servers <directory>", "where the folders of servers are", "servers")
          .option("--clients <directory>", "where the folders of clients are", "clients"),
      ),
    ),
    "the password of their key stores, unless it is in the folder: the first line of this file",
  ).action(async (names: string[], options: RenewOptions) => {
    refuseFlags();
    done(await (await import("./certs-renew.ts")).renewCertificates(names, options, terminal));
  });
  withAuthority(
    certs
      .command("revoke")
      .argument("<names...>", "names or serial numbers")
      .description("revoke certificates, and write the list (CRL) that a running Sluice takes over at once")
      .option("--reason <reason>", "keyCompromise, superseded, cessationOfOperation, ... (default: unspecified)"),
  ).action(async (names: string[], options: RevokeOptions) => {
    refuseFlags();
    done(await (await import("./certs-revoke.ts")).revokeCertificates(names, options, terminal));
  });
  withAuthority(
    certs
      .command("crl")
      .description("write the list of revoked certificates (CRL) anew")
      .option("--days <number>", "how long it is good (default: as long as the authority)"),
  ).action(async (options: ListOptions) => {
    refuseFlags();
    done(await (await import("./certs-revoke.ts")).writeRevocationList(options, terminal));
  });
}

/** What can be said beside the file; the rest is in it. */
const BESIDE_PROPERTIES = [
  "thingsboard",
  "out",
  "days",
  "force",
  "json",
  "authority",
  "passphraseFile",
  "passphraseEnv",
];

async function byProperties(
  purpose: "client" | "server",
  names: readonly string[],
  file: string,
  options: IssueOptions,
  command: Command,
  terminal: Terminal,
): Promise<number> {
  const typed = (name: string) => command.getOptionValueSource(name) === "cli";
  if (names[0] !== undefined) command.error(`error: --thingsboard says the name: leave out '${names[0]}'`);
  for (const option of command.options)
    if (typed(option.attributeName()) && !BESIDE_PROPERTIES.includes(option.attributeName()))
      command.error(`error: --thingsboard and ${option.long} do not go together: the file says it`);
  const { issueByProperties } = await import("./certs-keygen.ts");
  return issueByProperties(purpose, file, typed("out") ? options.out : null, options, terminal);
}

function withPassphrase(command: Command, what: string): Command {
  return command
    .option("--passphraseFile <file>", `the first line of this file ${what}`)
    .option("--passphraseEnv <name>", "... or the value of this environment variable")
    .option("--json", "print what was done as JSON");
}

function withAuthority(command: Command): Command {
  return withPassphrase(
    command.option("--authority <directory>", "the authority", DIRECTORY),
    "opens the authority's key",
  ).addHelpText("after", "\nA passphrase that is needed and not given is asked for, where there is a terminal.");
}

function withStorePassword(command: Command, what: string): Command {
  return command
    .option("--storePasswordFile <file>", what)
    .option("--storePasswordEnv <name>", "... or the value of this environment variable");
}

function withKeyForm(command: Command): Command {
  return command
    .option("--keyPasswordFile <file>", "encrypt the new key with the first line of this file")
    .option("--keyPasswordEnv <name>", "... or with the value of this environment variable")
    .option("--keyCipher <cipher>", "how: aes256 (default), or with --insecure des3 as in old OpenSSL")
    .option("--insecure", "allow what is not safe: des3, and RSA of 1024 bits");
}

function withKey(command: Command): Command {
  const all = command
    .option("--key <kind>", `the kind of key: ${KEYS} of 2048 bits; rsa1024 with --insecure`, "ec")
    .option("--force", "replace files that are there already");
  return withKeyForm(withAuthority(all));
}
