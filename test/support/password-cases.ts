// Who comes in with a password file, by a Mosquitto and by Sluice's own reading of it.

import { Credentials, type CredentialsOutcome } from "../../src/mqtt/credentials.ts";
import { readPasswordFile } from "../../src/mqtt/password-file.ts";
import { splitUsers } from "../../src/mqtt/user-parts.ts";
import { mqttClient } from "./mqtt.ts";

/** `tea & sugar`, as mosquitto_passwd 2.0.11 wrote it. */
export const TEA =
  "$7$101$u47hh7ikTLQYZsxI$Luf3KO5HpJtPhOCI05dDenQX6tqqQIee+SWQqkeo9gqqJg9+drL4ir3FnzzhQOEiAvlBQTcjd5Jx7fkoksGNcQ==";
/** The same by 2.1.2. */
export const TEA_21 =
  "$7$1000$rfh9HHFnwpN8hSGPHJoJXvU9ml3O73VJRZ2ZFtM/XrW+9aB98wEwqSnFRwcx3UC5wgtrMeEAiMdYFjapsltG6Q==$P+AqIpLwEZuWurJU0Kk/orqYvkXFu/V7Fu2V0kiXZsoSSW5oOY/3ipFqgM8rRhBua807MzC9y3U2FInS/MgaLw==";

/** Whoever comes in, of all these names with all these passwords, as `name password`. */
export type Admitted = (names: readonly string[], passwords: readonly string[]) => Promise<string[]>;

/** By Sluice's reader. */
export function bySluice(text: string): Admitted {
  const read = readPasswordFile(text);
  if (read.kind !== "ok") throw new Error(read.message);
  const { users, texts } = splitUsers(read.file.users);
  const credentials = new Credentials(users, Buffer.from("key"), (part) => texts.get(part) ?? null);
  return admitted(
    async (name, password): Promise<CredentialsOutcome> => credentials.verify(name, Buffer.from(password)),
  );
}

/** By a Mosquitto that has the file and takes nobody without a user. */
export function byMosquitto(port: number): Admitted {
  return admitted(async (username, password) => {
    const client = await mqttClient({ port }, { username, password }).catch((error: { code?: number }) => error);
    if (!("mqtt" in client)) return client.code === 5 ? "wrong" : `answered ${JSON.stringify(client)}`;
    client.mqtt.end(true);
    return "right";
  });
}

function admitted(verify: (name: string, password: string) => Promise<string>): Admitted {
  return async (names, passwords) => {
    const found: string[] = [];
    for (const name of names)
      for (const password of passwords) {
        const outcome = await verify(name, password);
        if (outcome === "right") found.push(`${name} ${password}`);
        else if (outcome !== "wrong") found.push(`${name} ${password}: ${outcome}`);
      }
    return found;
  };
}
