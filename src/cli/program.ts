// The command line: which command with which options.

import { statSync } from "node:fs";
import { Command, CommanderError } from "commander";
import type { Flag } from "../config/flags.ts";
import { suggestion } from "../text/spelling.ts";
import { BUN_VERSION, VERSION } from "../version.ts";
import { splitFlags } from "./arguments.ts";
import { addAuthorityCommands } from "./authority-commands.ts";
import type { CheckOptions as RemoteCheckOptions } from "./certs-check.ts";
import type { ConvertOptions } from "./certs-convert.ts";
import type { ShowOptions } from "./certs-show.ts";
import type { CheckOptions } from "./check.ts";
import type { ExplainOptions } from "./explain.ts";
import { addKvCommands } from "./kv-commands.ts";
import { addOperatorCommands } from "./operator-commands.ts";
import type { Given } from "./static-file.ts";
import { TERMINAL, type Terminal } from "./terminal.ts";
import type { UpgradeOptions } from "./upgrade.ts";

const FILE_OPTION = [
  "--configFile <file>",
  "the static configuration (default: $SLUICE_CONFIGFILE, else ./config/sluice.yml, else /etc/sluice/sluice.yml)",
] as const;
const FILE_ARGUMENT = ["[file]", "the same as --configFile"] as const;
const PROVIDER_OPTION = [
  "--provider <name>",
  "read this provider alone, such as file or redis; without it, all that are configured",
] as const;
const FLAGS_HELP = `
Every field of the static configuration is a flag too (--entryPoints.mqtts.address=:8883) and an environment variable
(SLUICE_ENTRYPOINTS_MQTTS_ADDRESS=:8883). Flags win over variables, and those over the file.`;

/**
 * A command's own modules are loaded when it is the one that was typed: `healthcheck` runs every few seconds in a container.
 *
 * @param args as typed after the program's name.
 * @returns the exit code; null while the proxy runs that was started: it ends the process itself.
 */
export async function runCommand(args: readonly string[], terminal: Terminal = TERMINAL): Promise<number | null> {
  let code: number | null = null;
  // Filled before any action runs.
  const flags: Flag[] = [];
  const words: string[] = [];
  /** A file that is typed without --configFile in front of it is meant so. */
  const given = ({ configFile }: { configFile?: string }, file?: string): Given => {
    if (file !== undefined && configFile !== undefined)
      program.error(`error: two static configurations are given, '${file}' and --configFile=${configFile}: give one`);
    return { configFile: configFile ?? file, flags };
  };
  const version = `sluice ${VERSION} (Bun ${Bun.version}, tested with ${BUN_VERSION})`;
  const program = new Command("sluice")
    .version(version, "--version", "print the versions of Sluice and of Bun")
    .description(
      "The TLS edge for MQTT: terminates, passes through or re-encrypts by SNI, in front of brokers that speak plain MQTT.",
    )
    .showHelpAfterError("(sluice --help lists the commands)")
    .configureOutput({
      writeOut: (text) => terminal.log(withoutLastLineFeed(text)),
      writeErr: (text) => terminal.error(withoutLastLineFeed(text)),
    })
    .exitOverride()
    .configureHelp({ showGlobalOptions: true });
  /** For commands that read no configuration. */
  const refuseFlags = () => {
    if (flags[0] !== undefined) program.error(`error: unknown option '${flags[0].name}'`);
  };
  program
    .command("run", { isDefault: true })
    .description("run the proxy (the default command)")
    .argument(...FILE_ARGUMENT)
    .option(...FILE_OPTION)
    .addHelpText("after", FLAGS_HELP)
    .action(async (file: string | undefined, options: { configFile?: string }) => {
      // As the default command it gets every misspelt one.
      const names = program.commands.map((command) => command.name());
      if (file !== undefined && file === words[0] && !isFile(file))
        program.error(`error: unknown command "${file}"${suggestion(file, names)}`);
      await (await import("./run.ts")).run(given(options, file));
    });
  program
    .command("check")
    .description("print every problem of the configuration as file:line:column: message; exit 1 if there is an error")
    .argument(...FILE_ARGUMENT)
    .option(...FILE_OPTION)
    .option("--print", "print the configuration in force too, and where each value is from")
    .option(...PROVIDER_OPTION)
    .action(async (file: string | undefined, options: CheckOptions) => {
      code = await (await import("./check.ts")).check(given(options, file), options, terminal);
    });
  program
    .command("explain")
    .description(
      "say which router, certificate and servers a client would get, and why no other router; exit 1 if it is refused",
    )
    .argument("[name]", "the same as --sni")
    .option("--sni <name>", "the server name that it asks for; without it, a client that sends none")
    .option("--alpn <protocols...>", "the protocols that it offers, separated by commas (default: none)")
    .option("--from <address>", "where it comes from; without it, every answer that there is")
    .option("--to <address>", "the address that it dials, which chooses the certificate when it sends no name")
    .option("--plain", "it speaks MQTT without TLS")
    .option(
      "--cert <file>",
      "the certificate that it shows, in PEM or DER; without it, a good one where one is asked for",
    )
    .option("--no-cert", "it shows no certificate")
    .option("--clientId <id>", "the client ID of its CONNECT; without it, every answer that there is")
    .option("--username <name>", "the user name of its CONNECT; without it, every answer that there is")
    .option("--no-username", "its CONNECT has no user name")
    .option("--mqttVersion <version>", "3.1, 3.1.1 or 5; without it, every answer that there is")
    .option("--entryPoint <name>", "where it comes in; without it, each entry point")
    .option("--check", "check its servers now, as the running Sluice would; without it, nothing is dialled")
    .option(...FILE_OPTION)
    .option(...PROVIDER_OPTION)
    .option("--json", "print it as JSON")
    .action(async (name: string | undefined, options: ExplainOptions) => {
      if (name !== undefined && isFile(name) && /[/]|\.ya?ml$/i.test(name))
        program.error(`error: explain takes a server name, and '${name}' is a file: write --configFile=${name}`);
      if (name !== undefined && options.sni !== undefined)
        program.error(`error: two server names are given, '${name}' and --sni=${options.sni}: give one`);
      const asked = name === undefined ? options : { ...options, sni: name };
      code = await (await import("./explain.ts")).explain(given(options), asked, terminal);
    });
  program
    .command("healthcheck")
    .description("ask a running Sluice whether it is well; exit 1 if not")
    .argument(...FILE_ARGUMENT)
    .option(...FILE_OPTION)
    .action(async (file: string | undefined, options: { configFile?: string }) => {
      code = await (await import("./healthcheck.ts")).healthcheck(given(options, file), terminal);
    });
  program
    .command("upgrade")
    .description("let a running Sluice be followed by new processes, of what bears its name now; connections go on")
    .argument(...FILE_ARGUMENT)
    .option(...FILE_OPTION)
    .option("--pid <pid>", "the process to ask; its log says what comes of it")
    .option("--pidFile <file>", "where its process ID is (default: lifeCycle.pidFile of the configuration)")
    .action(async (file: string | undefined, options: { configFile?: string } & UpgradeOptions) => {
      code = await (await import("./upgrade.ts")).upgrade(given(options, file), options, terminal);
    });
  addOperatorCommands(program, FILE_OPTION, {
    terminal,
    given: (options) => given(options),
    done: (result) => {
      code = result;
    },
    refuseFlags,
  });
  const certs = program.command("certs").description("issue certificates, and look into them, keys and key stores");
  certs
    .command("show")
    .argument("<file>", "PEM, DER, PKCS#12, JKS, JCEKS or BKS")
    .description("print what is in a file and what is wrong with it; exit 1 if something is")
    .option("--json", "print it as JSON")
    .option("--passwordFile <file>", "the password of a store or a PEM key is the file's first line")
    .option("--passwordEnv <name>", "... or the value of this environment variable")
    .option("--keyPasswordFile <file>", "the same for a key that has a password of its own")
    .option("--keyPasswordEnv <name>", "... or the value of this environment variable")
    .addHelpText("after", "\nA password that is needed and not given is asked for, where there is a terminal.")
    .action(async (file: string, options: ShowOptions) => {
      refuseFlags();
      code = await (await import("./certs-show.ts")).showCertificates(file, options, terminal);
    });
  certs
    .command("convert")
    .argument("<in>", "PEM, DER, PKCS#12, JKS, JCEKS or BKS")
    .argument("<out>", "the file to write; its name says the format: .pem .crt .key .der .p12 .pfx .jks .jceks .bks")
    .description("write certificates and keys in another format")
    .option("--to <format>", "the format, where the name does not say it: pem, der, pkcs12, jks, jceks, bks, bks-v1")
    .option("--from <format>", "refuse a file of any other format (what it is, is seen by its content)")
    .option("--keyFile <file>", "the private key, where it is not in the same file as its certificate")
    .option(
      "--caFile <file>",
      "authorities: they complete the chain, and a key store gets them as entries of their own",
    )
    .option("--keyOut <file>", "write the private key here, and only the certificates to <out> (PEM and DER)")
    .option("--alias <alias>", "take this entry of a key store alone")
    .option("--outAlias <alias>", "what the entry is called in <out> (default: as before, or the common name)")
    .option("--passwordFile <file>", "the password of a store or a PEM key is the file's first line")
    .option("--passwordEnv <name>", "... or the value of this environment variable")
    .option("--keyPasswordFile <file>", "the same for a key that has a password of its own")
    .option("--keyPasswordEnv <name>", "... or the value of this environment variable")
    .option("--outPasswordFile <file>", "the password of <out>; in PEM and DER it encrypts the key")
    .option("--outPasswordEnv <name>", "... or the value of this environment variable")
    .option(
      "--legacy [cipher]",
      "PKCS#12 for Java 8, old Androids and the like, which is not safe: by RC2, or with =3des by that alone",
    )
    .option("--force", "replace files that are there already")
    .addHelpText("after", "\nA password that is needed and not given is asked for, where there is a terminal.")
    .action(async (input: string, output: string, options: ConvertOptions) => {
      refuseFlags();
      code = await (await import("./certs-convert.ts")).convertCertificates(input, output, options, terminal);
    });
  certs
    .command("list")
    .description(
      "print every certificate that the configuration uses or waits for; exit 1 if one has expired or is missing",
    )
    .argument(...FILE_ARGUMENT)
    .option(...FILE_OPTION)
    .option("--authority <directory>", "print what this authority has issued instead")
    .option("--json", "print it as JSON")
    .action(async (file: string | undefined, options: { configFile?: string; authority?: string; json?: boolean }) => {
      const { authority } = options;
      if (authority !== undefined) {
        refuseFlags();
        const config = file ?? options.configFile;
        if (config !== undefined) program.error(`error: --authority reads no configuration: leave out '${config}'`);
        code = await (await import("./certs-authority.ts")).listIssued(authority, options.json ?? false, terminal);
        return;
      }
      const { listCertificates } = await import("./certs-list.ts");
      code = await listCertificates(given(options, file), options.json ?? false, terminal);
    });
  certs
    .command("check")
    .argument("<server>", "HOST:PORT, or HOST alone for port 8883")
    .description("look at a TLS server as its clients do; exit 1 if something keeps them out")
    .option("--sni <name>", "the server name to ask for, and to check the certificate against (default: the host)")
    .option("--ca <file>", "the authorities that its clients trust (default: the public ones)")
    .option("--cert <file>", "show this client certificate; any format, a key store too")
    .option("--key <file>", "its private key, where it is not in the same file")
    .option("--passwordFile <file>", "the password of a store or a PEM key is the file's first line")
    .option("--passwordEnv <name>", "... or the value of this environment variable")
    .option("--keyPasswordFile <file>", "the same for a key that has a password of its own")
    .option("--keyPasswordEnv <name>", "... or the value of this environment variable")
    .option("--timeout <seconds>", "how long all of it may take (default: 20)")
    .option("--json", "print it as JSON")
    .addHelpText(
      "after",
      "\nIt opens about eight short connections, one after the other. Nothing is sent to the broker behind TLS.",
    )
    .action(async (server: string, options: RemoteCheckOptions) => {
      refuseFlags();
      code = await (await import("./certs-check.ts")).checkRemote(server, options, terminal);
    });
  addAuthorityCommands(certs, terminal, refuseFlags, (result) => {
    code = result;
  });
  const kv = program
    .command("kv")
    .description("move routes between files and a store (Redis, etcd, Consul, ZooKeeper)");
  addKvCommands(kv, FILE_OPTION, given, terminal, (result) => {
    code = result;
  });
  program
    .command("version")
    .description("print the versions of Sluice and of the Bun it was tested with")
    .action(() => {
      refuseFlags();
      terminal.log(version);
      code = 0;
    });
  try {
    const { own, values } = await splitFlags(args, program);
    flags.push(...values);
    words.push(...own);
    await program.parseAsync(own, { from: "user" });
  } catch (error) {
    // Help was asked for, or the command line has a mistake; commander has said it.
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode;
  }
  return code;
}

/** Commands have neither dots nor slashes in their names, and a directory is no configuration. */
function isFile(word: string): boolean {
  return /[./]/.test(word) || statSync(word, { throwIfNoEntry: false })?.isFile() === true;
}

function withoutLastLineFeed(text: string): string {
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}
