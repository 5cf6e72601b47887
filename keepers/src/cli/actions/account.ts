import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { bytesToHex, getAddress, type Hex, type LocalAccount } from "viem";
import { accountVariables, createKeystore, readPassword, resolveAccount } from "../../chain/account.ts";
import { decryptKeystore, encryptKeystore, parseKeystore } from "../../chain/keystore.ts";
import { readingKey } from "../../storage/client/dataset-key.ts";
import { type CommandContext, keystorePath } from "../context.ts";
import { ConfigurationError, UsageError } from "../errors.ts";
import { table } from "../output.ts";
import { defaultKeyName } from "../settings.ts";

/** Letters that mean nothing to any file system. */
const keyNamePattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** `assay account new` */
export async function create(context: CommandContext, name: string): Promise<void> {
  const path = pathOf(context, name);
  const password = await newPassword(context);
  report(context, path, await createKeystore(path, password));
}

/** `assay account import` */
export async function importKey(
  context: CommandContext,
  name: string,
  { from }: { from?: string },
): Promise<void> {
  const path = pathOf(context, name);
  const secret = await secretToImport(context, from);
  context.output.hide(secret);
  const keystore = await encryptKeystore(secret, await newPassword(context));
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await writeFile(path, `${JSON.stringify(keystore, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
    throw new ConfigurationError(`there is a file at ${path} already`, {
      kept: "It was left as it is.",
      next: "Choose another name: keys are never overwritten.",
    });
  }
  report(context, path, { address: getAddress(`0x${keystore.address}`) });
}

async function secretToImport(context: CommandContext, from: string | undefined): Promise<Hex> {
  if (from === undefined) {
    const key = context.env[accountVariables.privateKey]?.trim();
    // Checks the form of the key, and says what is wrong without repeating it.
    await resolveAccount({ env: { [accountVariables.privateKey]: key } });
    return (key?.startsWith("0x") === true ? key : `0x${key}`) as Hex;
  }
  let text: string;
  try {
    text = await readFile(context.path(from), "utf8");
  } catch (cause) {
    throw new ConfigurationError(`${from} cannot be read`, {
      cause,
      next: "Check the path and its permissions.",
    });
  }
  const password = await readPassword(`Password of ${from}: `, passwordOptions(context));
  return decryptKeystore(parseKeystore(text), password);
}

/** `assay account list` */
export async function list(context: CommandContext): Promise<void> {
  const folder = dirname(keystorePath(context.home, defaultKeyName));
  const files = await readdir(folder).catch(() => []);
  const keys: { name: string; path: string; address: string | null }[] = [];
  for (const file of files.sort()) {
    const name = file.replace(/\.json$/, "");
    if (name === file || !keyNamePattern.test(name)) continue;
    const path = keystorePath(context.home, name);
    const { address } = parseKeystore(await readFile(path, "utf8"));
    keys.push({
      name,
      path,
      address: address === undefined ? null : getAddress(`0x${address.replace(/^0x/, "")}`),
    });
  }
  const rows = keys.map(({ name, address, path }) => [name, address ?? "?", path]);
  const lines =
    keys.length === 0
      ? "There are no keys here; `assay account new` makes one."
      : table(["name", "address", "file"], rows);
  context.output.result({ accounts: keys }, lines);
}

/** `assay account show` */
export async function show(context: CommandContext): Promise<void> {
  const account = await context.account();
  const key = bytesToHex(await readingKey(account));
  context.output.result({ address: account.address, readingKey: key }, [
    `address      ${account.address}`,
    `reading key  ${key}`,
  ]);
}

function report(context: CommandContext, path: string, { address }: Pick<LocalAccount, "address">): void {
  context.output.result({ address, path }, [
    `${address} is in ${path}`,
    "Keep the file and its password: nobody can restore them.",
  ]);
}

function pathOf(context: CommandContext, name: string): string {
  if (keyNamePattern.test(name)) return keystorePath(context.home, name);
  throw new UsageError("a key's name is up to 64 letters, digits, - and _");
}

function passwordOptions(context: CommandContext) {
  const { env, output } = context;
  return { env, passwordFile: context.passwordFile(), onSecret: (secret: string) => output.hide(secret) };
}

/** A password for a new keystore; one that a person types is asked for twice. */
async function newPassword(context: CommandContext): Promise<string> {
  const options = passwordOptions(context);
  const password = await readPassword("Password for the new keystore: ", options);
  const given = context.env[accountVariables.password] ?? context.env[accountVariables.passwordFile];
  const typed = given === undefined && options.passwordFile === undefined;
  if (typed && (await readPassword("The same again: ", options)) !== password) {
    throw new UsageError("the two passwords differ", {
      kept: "Nothing was written.",
      next: "Run the command again.",
    });
  }
  if (password !== "") return password;
  throw new UsageError("the password is empty", { kept: "Nothing was written.", next: "Choose a password." });
}
