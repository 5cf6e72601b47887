import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ReadStream, WriteStream } from "node:tty";
import { type Hex, isHex, type LocalAccount } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { AssayError, BadInputError, exitCode } from "../core/errors.ts";
import { decryptKeystore, type EncryptKeystoreOptions, encryptKeystore, parseKeystore } from "./keystore.ts";

/** Environment variables in which keys and passwords may come. There is no flag for either: flags show in `ps`. */
export const accountVariables = {
  privateKey: "ASSAY_PRIVATE_KEY",
  keystore: "ASSAY_KEYSTORE",
  password: "ASSAY_KEYSTORE_PASSWORD",
  passwordFile: "ASSAY_KEYSTORE_PASSWORD_FILE",
} as const;

export type AccountOptions = {
  /** Keystore file; `ASSAY_KEYSTORE` when left out. */
  keystore?: string;
  /** File whose first line is the password; `ASSAY_KEYSTORE_PASSWORD_FILE` when left out. */
  passwordFile?: string;
  env?: Readonly<Record<string, string | undefined>>;
  /** Asks a person for the password without showing it; the terminal when there is one. */
  prompt?: (question: string) => Promise<string>;
  /** Is told every secret that was read, before it is used, so that logs can keep it out. */
  onSecret?: (secret: string) => void;
};

const configuration = (message: string, next: string, cause?: unknown) =>
  new AssayError(message, { next, cause, exitCode: exitCode.configuration });

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw configuration(`the ${what} at ${path} cannot be read`, "check the path and its permissions", cause);
  }
}

/** Reads a line from a terminal without echoing it. */
export function promptHidden(question: string, input: ReadStream, output: WriteStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed = "";
    const finish = (done: () => void) => {
      input.off("data", onData);
      input.setRawMode(false);
      input.pause();
      output.write("\n");
      done();
    };
    const onData = (chunk: Buffer) => {
      for (const letter of chunk.toString("utf8")) {
        if (letter === "\r" || letter === "\n") return finish(() => resolve(typed));
        if (letter === "\u0003" || letter === "\u0004") {
          return finish(() => reject(configuration("no password was given", "run the command again")));
        }
        typed = letter === "\u007f" || letter === "\b" ? typed.slice(0, -1) : typed + letter;
      }
    };
    output.write(question);
    input.setRawMode(true);
    input.resume();
    input.on("data", onData);
  });
}

const terminalPrompt = (question: string) => promptHidden(question, process.stdin, process.stderr);

/** The keystore's password: from the environment, from a file, or from a person at a terminal, in this order. */
export async function readPassword(question: string, options: AccountOptions = {}): Promise<string> {
  const { env = process.env, onSecret } = options;
  const direct = env[accountVariables.password];
  const file = options.passwordFile ?? env[accountVariables.passwordFile];
  const prompt = options.prompt ?? (process.stdin.isTTY ? terminalPrompt : undefined);
  let password: string;
  if (direct !== undefined) password = direct;
  else if (file !== undefined) password = readText(file, "password file").split(/\r?\n/, 1)[0] ?? "";
  else if (prompt !== undefined) password = await prompt(question);
  else {
    throw configuration(
      "the keystore needs a password and there is no terminal to ask at",
      `set ${accountVariables.passwordFile} to a file that holds it`,
    );
  }
  if (password !== "") onSecret?.(password);
  return password;
}

function fromPrivateKey(key: string, onSecret?: (secret: string) => void): LocalAccount {
  const trimmed = key.trim();
  if (trimmed !== "") onSecret?.(trimmed);
  const prefixed = trimmed.startsWith("0x") ? trimmed : `0x${trimmed}`;
  try {
    if (!isHex(prefixed) || prefixed.length !== 66) throw new Error("wrong length");
    return privateKeyToAccount(prefixed as Hex);
  } catch {
    // No cause: what libraries say about a bad key may repeat it.
    throw new BadInputError(`${accountVariables.privateKey} is not a private key (32 bytes of hex)`);
  }
}

/** The account to act as: from an encrypted keystore, or from a key in the environment. */
export async function resolveAccount(options: AccountOptions = {}): Promise<LocalAccount> {
  const { env = process.env, onSecret } = options;
  const key = env[accountVariables.privateKey];
  const path = options.keystore ?? (key === undefined ? env[accountVariables.keystore] : undefined);
  if (path !== undefined) {
    const keystore = parseKeystore(readText(path, "keystore"));
    const secret = await decryptKeystore(keystore, await readPassword(`Password of ${path}: `, options));
    onSecret?.(secret);
    return privateKeyToAccount(secret);
  }
  if (key !== undefined) return fromPrivateKey(key, onSecret);
  throw configuration(
    "no account is configured",
    `set ${accountVariables.keystore} to a keystore file, or ${accountVariables.privateKey} to a key`,
  );
}

/** Makes a new key and writes its keystore, readable by its owner only; never overwrites a file. Returns the account. */
export async function createKeystore(
  path: string,
  password: string,
  options: EncryptKeystoreOptions = {},
): Promise<LocalAccount> {
  if (existsSync(path)) {
    throw configuration(
      `there is a file at ${path} already`,
      "choose another path: keys are never overwritten",
    );
  }
  const secret = generatePrivateKey();
  const text = `${JSON.stringify(await encryptKeystore(secret, password, options), null, 2)}\n`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode: 0o600, flag: "wx" });
  chmodSync(path, 0o600);
  return privateKeyToAccount(secret);
}
