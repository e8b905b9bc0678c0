// Which key a certificate gets, as it is typed, and what is to be said about it.

import type { KeyForm } from "../authority/delivery.ts";
import { choiceOf, KEY_CHOICES, type KeyChoice, WEAK_KEYS } from "../authority/keys.ts";
import { Refusal } from "./authority-access.ts";
import { secretOption } from "./secret-options.ts";

export interface KeyOptions {
  readonly key?: string;
  readonly keyPasswordFile?: string;
  readonly keyPasswordEnv?: string;
  readonly keyCipher?: string;
  readonly insecure?: boolean;
}

/** Of a server or a client; `rsa` alone has 2048 bits. @throws Refusal */
export function keyChoice({ key = "ec", insecure = false }: KeyOptions): KeyChoice {
  const choice = typedChoice(key, 2048);
  if (isWeak(choice) && !insecure)
    throw new Refusal(
      `--key=${choice} is not safe: anyone with some patience can find the key. If a device can do nothing else, add --insecure`,
    );
  return choice;
}

/** Of an authority, which is never a weak one; `rsa` alone has 3072 bits. @throws Refusal */
export function authorityKeyChoice({ key = "ec" }: KeyOptions): KeyChoice {
  const choice = typedChoice(key, 3072);
  if (isWeak(choice))
    throw new Refusal(
      `--key=${choice} is not safe, and who finds an authority's key is every device at once: take rsa2048 at least`,
    );
  return choice;
}

function typedChoice(key: string, rsaBits: 2048 | 3072): KeyChoice {
  const choice = choiceOf(key, rsaBits);
  if (choice === null) throw new Refusal(`--key is one of rsa, ${usual().join(", ")}, and not '${key}'`);
  return choice;
}

/** Whether a key of this kind is made and signed with --insecure alone. */
export function isWeak(choice: KeyChoice): boolean {
  return WEAK_KEYS.includes(choice);
}

const usual = () => KEY_CHOICES.filter((each) => !isWeak(each));

/** What small or old clients make of such a key; null where there is nothing to say. */
export function keyNotice(choice: KeyChoice): string | null {
  switch (choice) {
    case "ed25519":
      return "many clients do not know Ed25519 yet: Java before 15, Mbed TLS, and browsers among them";
    case "rsa4096":
      return "small devices take seconds for RSA of 4096 bits, or have no memory for it";
    case "rsa1024":
      return "RSA of 1024 bits is not safe, and many clients refuse it";
    default:
      return null;
  }
}

/** How the key is to be written. @throws Refusal */
export function keyForm({
  keyPasswordFile,
  keyPasswordEnv,
  keyCipher = "aes256",
  insecure = false,
}: KeyOptions): KeyForm {
  const given = secretOption("keyPassword", keyPasswordFile, keyPasswordEnv);
  if (given.kind === "error") throw new Refusal(given.message);
  const password = given.value;
  if (password === "") throw new Refusal("the password of the key is empty: give one, or leave the option out");
  const cipher = keyCipher.toLowerCase();
  if (cipher !== "aes256" && cipher !== "des3")
    throw new Refusal(`--keyCipher is aes256 or des3, and not '${keyCipher}'`);
  if (cipher === "des3" && !insecure)
    throw new Refusal(
      "--keyCipher=des3 is not safe: its key derivation is one round of MD5. If a device reads nothing newer, add --insecure",
    );
  if (cipher === "des3" && password === null)
    throw new Refusal("--keyCipher needs a password: give --keyPasswordFile FILE or --keyPasswordEnv NAME");
  return { password, cipher };
}

/** Whether a key of this kind can be written so. @throws Refusal */
export function checkForm({ cipher }: KeyForm, choice: KeyChoice): void {
  if (cipher === "des3" && choice === "ed25519")
    throw new Refusal("--keyCipher=des3 is a form of RSA and EC keys, and Ed25519 has none: leave it out");
}
