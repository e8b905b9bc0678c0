// `npm start` as it is typed: what it prints works as it stands, and Control-C ends it in order.

import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tlsClient } from "../support/clients.ts";
import { Command } from "../support/command.ts";
import { ROOT } from "../support/sluice.ts";
import { cleanup, exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

/** The shipped configuration on free ports and in a directory of its own; `env` has what is different. */
async function shipped(names: string, change = (dynamic: string) => dynamic) {
  // A path that a shell would take apart.
  const directory = join(temporaryDirectory(), "my data");
  const [port, broker, admin] = [await freePort(), await freePort(), await freePort()];
  mkdirSync(join(directory, "dynamic"), { recursive: true });
  const dynamic = readFileSync(join(ROOT, "dynamic/mqtt.yml"), "utf8")
    .replaceAll("data/", `${directory}/`)
    .replace("127.0.0.1:1883", `127.0.0.1:${broker}`);
  writeFileSync(join(directory, "dynamic/mqtt.yml"), change(dynamic));
  const env = {
    SLUICE_ENTRYPOINTS_MQTTS_ADDRESS: `:${port}`,
    SLUICE_ENTRYPOINTS_TRAEFIK_ADDRESS: `127.0.0.1:${admin}`,
    SLUICE_EMBEDDEDBROKER_ADDRESS: `127.0.0.1:${broker}`,
    SLUICE_DEVELOPMENTCERTIFICATE_DIRECTORY: directory,
    SLUICE_DEVELOPMENTCERTIFICATE_NAMES: names,
    SLUICE_PROVIDERS_FILE_DIRECTORY: join(directory, "dynamic"),
  };
  return { directory, port, env };
}

/** On a terminal. */
async function npmStart(names = "localhost", change?: (dynamic: string) => string) {
  const { directory, port, env } = await shipped(names, change);
  const child = Bun.spawn(["python3", join(ROOT, "test/support/press.py"), "npm", "start"], {
    cwd: ROOT,
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  const screen = { text: "" };
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) screen.text += decoder.decode(chunk, { stream: true });
  })();
  const printed = (text: string) =>
    waitFor(`"${text}" on the terminal, instead of: ${screen.text}`, () => screen.text.includes(text));
  const press = (line: string) => {
    child.stdin.write(`${line}\n`);
    void child.stdin.flush();
  };
  cleanup(async () => {
    if (child.exitCode !== null) return;
    press("^C");
    await Bun.sleep(600);
    press("^C");
    await child.exited;
  });
  return { child, screen, printed, press, port, directory };
}

test("the lines to copy work as they are printed, the file to edit next is named; Control-C, which npm hands on a second time, lets connections finish, says that it has stopped, and exits with 0", async () => {
  const { child, screen, printed, press, port, directory } = await npmStart();
  await printed("Next: ");
  await printed("config/sluice.yml.");
  const line = (start: string) =>
    screen.text
      .split(/\r?\n/)
      .find((each) => each.trim().startsWith(start))!
      .trim();
  expect(line("mosquitto_sub")).toBe(`mosquitto_sub -h localhost -p ${port} --cafile '${directory}/ca.crt' -t hello`);
  expect(line("Next:")).toBe(
    `Next: your routes and certificates in ${directory}/dynamic/mqtt.yml, which is read when it is saved; the rest in config/sluice.yml.`,
  );
  const received = exec(["sh", "-c", `exec ${line("mosquitto_sub")} -C 1`]);
  await waitFor("the message", async () => {
    expect(await exec(["sh", "-c", line("mosquitto_pub")])).toMatchObject({ code: 0, stderr: "" });
    return Promise.race([received.then(() => true), Bun.sleep(200).then(() => false)]);
  });
  expect((await received).stdout).toBe("world\n");

  const client = await tlsClient(port);
  press("^C");
  await printed("stopping");
  // The connection goes on: the broker answers a PINGREQ only after a CONNECT.
  const answered = new Promise((resolve) => client.once("data", resolve));
  client.write(Buffer.from("100c00044d5154540402003c0000", "hex"));
  expect(await answered).toEqual(Buffer.from("20020000", "hex"));
  client.write(Buffer.from("e000", "hex"));
  client.resume().end();
  await printed("stopped");
  await child.exited;
  await printed("exit code 0");
  expect(screen.text).not.toContain("npm error");
});

test("a name that leads elsewhere comes with the line for /etc/hosts; a second Control-C, a second later, ends it at once", async () => {
  const { child, screen, printed, press, port } = await npmStart("broker.invalid", (text) =>
    text.replace("HostSNI(`localhost`)", "HostSNI(`broker.invalid`)"),
  );
  await printed("Next: ");
  expect(screen.text).toContain(`mosquitto_sub -h broker.invalid -p ${port} `);
  expect(screen.text).toContain("put the line  127.0.0.1 broker.invalid  into /etc/hosts.");
  const client = await tlsClient(port, { servername: "broker.invalid" });
  press("^C");
  await printed("stopping");
  await Bun.sleep(1000);
  press("^C");
  await child.exited;
  await printed("exit code ");
  client.destroy();
});

test("no lines are printed where no router takes a name of the certificate", async () => {
  const { env } = await shipped("localhost", (text) => text.replace("HostSNI(`localhost`)", "HostSNI(`a.test`)"));
  const none = new Command(["run", "--configFile=config/sluice.yml"], { cwd: ROOT, env });
  await none.printed("Next: ");
  expect(none.stdout).toContain("No router terminates TLS for a name of the development certificate (localhost).");
  expect(none.stdout).not.toContain("mosquitto_sub");
  expect(await none.stop()).toBe(0);
});
