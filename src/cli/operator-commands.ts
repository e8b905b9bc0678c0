// The commands for operators of a running Sluice, with their options.

import type { Command } from "commander";
import type { ApiClient, ReachOptions } from "./api-client.ts";
import type { Given } from "./static-file.ts";
import type { Terminal } from "./terminal.ts";

type Operator = typeof import("./operator.ts");
type Options = ReachOptions & { readonly configFile?: string };

export interface OperatorHost {
  readonly terminal: Terminal;
  given(options: { configFile?: string }): Given;
  done(code: number): void;
  refuseFlags(): void;
}

export function addOperatorCommands(program: Command, fileOption: readonly [string, string], host: OperatorHost): void {
  const { terminal } = host;
  const reach = (command: Command): Command =>
    command
      .option(...fileOption)
      .option(
        "--api <where>",
        "where its API is, a URL or the path of a Unix socket; without it, where the configuration says",
      )
      .option("--tokenFile <file>", "the token to show is in this file")
      .option("--tokenEnv <name>", "... or in this environment variable");
  const ask = async <O extends object>(
    all: Options & O,
    run: (operator: Operator, client: ApiClient, options: O) => Promise<number>,
  ) => {
    const { configFile, api, tokenFile, tokenEnv, ...options } = all;
    const [operator, { ApiClient: Client }] = await Promise.all([import("./operator.ts"), import("./api-client.ts")]);
    const reached = {
      ...(api !== undefined && { api }),
      ...(tokenFile !== undefined && { tokenFile }),
      ...(tokenEnv !== undefined && { tokenEnv }),
    };
    const client = Client.of(host.given({ ...(configFile !== undefined && { configFile }) }), reached, terminal);
    host.done(await operator.withApi(client, terminal, (found) => run(operator, found, options as unknown as O)));
  };
  const look = (name: string, description: string) =>
    reach(program.command(name).description(description)).option("--json", "print it as JSON");
  const act = (name: string, description: string) =>
    look(name, description).option("--reason <words>", "why, for the log");

  reach(
    program.command("top").description("show what goes on, on the whole terminal: clients, routes, brokers, refusals"),
  )
    .option("--tab <name>", "begin with overview (the default), clients, routes, brokers, refusals or events")
    .option("--search <text>", "begin with this text in the tab's filter")
    .option("--interval <seconds>", "ask so often (default: 2)")
    .option("--reason <words>", "why something is done, for the log (default: sluice top)")
    .option("--once", "print one screen and end")
    .action((options) =>
      ask(options, async (_, client, rest) => (await import("./top/top.ts")).top(client, rest, terminal)),
    );
  look("clients", "list who is connected now")
    .option("--clientId <id>", "those with this client id")
    .option("--username <name>", "those with this user name")
    .option("--address <address>", "those from this address or network")
    .option("--sni <name>", "those that ask for this name")
    .option("--router <name>", "those of this router")
    .option("--service <name>", "those of this service")
    .option("--server <address>", "those with this server")
    .option("--search <text>", "those with this text in any of their names")
    .option("--sort <column>", "by since, clientId, address, server, bytesIn, bytesOut, rate, idle, ...")
    .option("--limit <number>", "so many (default: 100)")
    .action((options) => ask(options, (operator, client, rest) => operator.clients(client, rest, terminal)));
  look("routes", "list routers, and what is wrong with them").action((options) =>
    ask(options, (operator, client, rest) => operator.routes(client, rest, terminal)),
  );
  look("servers", "list servers, their health, load and drains").action((options) =>
    ask(options, (operator, client, rest) => operator.servers(client, rest, terminal)),
  );
  look("refusals", "list the last clients that did not come in, and why")
    .option("--search <text>", "those with this text anywhere")
    .option("--reason <reason>", "those with this reason")
    .option("--address <address>", "those from this address")
    .action((options) => ask(options, (operator, client, rest) => operator.refusals(client, rest, terminal)));
  look("events", "list what has happened")
    .option("-f, --follow", "and go on as it happens")
    .option("--search <text>", "events with this text")
    .option("--level <level>", "events at least as urgent: info, warn, error")
    .action((options) => ask(options, (operator, client, rest) => operator.events(client, rest, terminal)));
  act("drain", "send no new connections to a server")
    .argument("<service>", "name@provider, as sluice servers has it")
    .argument("<server>", "its address")
    .option("--close", "close those that are open")
    .option("--spread <number>", "close so many a second")
    .option("--wait", "wait until none is left")
    .action((service: string, server: string, options) =>
      ask(options, (operator, client, rest) => operator.drain(client, [service, server], rest, terminal)),
    );
  act("undrain", "take a drain back")
    .argument("<service>", "name@provider")
    .argument("<server>", "its address")
    .action((service: string, server: string, options) =>
      ask(options, (operator, client, rest) => operator.undrain(client, [service, server], rest, terminal)),
    );
  act("ban", "refuse an address for a while")
    .argument("<network>", "an address, or the network that stands for it")
    .option("--time <duration>", "for how long (default: 1h)")
    .option("--entryPoint <name>", "on this one (default: on all that have bans)")
    .action((network: string, options) =>
      ask(options, (operator, client, rest) => operator.ban(client, network, rest, terminal)),
    );
  act("unban", "lift a ban")
    .argument("<network>", "as it was banned")
    .option("--entryPoint <name>", "on this one (default: wherever it is banned)")
    .action((network: string, options) =>
      ask(options, (operator, client, rest) => operator.unban(client, network, rest, terminal)),
    );
  act("close", "close connections; exit 1 if there is none")
    .argument("[id]", "one, as sluice clients has it")
    .option("--clientId <id>", "all with this client id")
    .option("--username <name>", "all with this user name")
    .option("--address <address>", "all from this address or network")
    .option("--certificate <subject>", "all whose certificate has this subject")
    .option("--server <address>", "all with this server")
    .option("--router <name>", "all of this router")
    .action((id: string | undefined, options) =>
      ask(options, (operator, client, rest) => operator.close(client, id, rest, terminal)),
    );
  act("renew", "order a resolver's certificate anew, now")
    .argument("<name>", "a name that it is for")
    .action((name: string, options) =>
      ask(options, (operator, client, rest) => operator.renew(client, name, rest, terminal)),
    );
  act("reload", "read the dynamic configuration anew; exit 1 if it has an error").action((options) =>
    ask(options, (operator, client, rest) => operator.reload(client, rest, terminal)),
  );
  program
    .command("token")
    .description("make a token for the API, and the hash of it that the configuration wants")
    .option("--json", "print it as JSON")
    .action(async (options: { json?: boolean }) => {
      host.refuseFlags();
      host.done((await import("./operator.ts")).token(options, terminal));
    });
}
