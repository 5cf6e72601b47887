import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, type Option } from "commander";
import { parseDocument } from "yaml";
import { z } from "zod";
import { BadInputError } from "../core/errors.ts";
import { ConfigurationError } from "./errors.ts";

const maximumBytes = 65_536;

const scalar = z.union([z.string(), z.number(), z.boolean()]);
/** What a configuration may hold before the command's own options judge it. */
const configSchema = z.record(z.string(), z.union([scalar, z.array(scalar).min(1)]));

/** Adds `--config <file>` to a command; {@link applyConfigFile} is what heeds it. */
export function withConfigFile(command: Command): Command {
  return command.option("--config <file>", "YAML file with any of these options, named without the dashes");
}

/** Options of every command that belong into a configuration: whom to believe of the chain, and when. */
const sharedNames = ["rpc-quorum", "confirmations", "finality"];

/**
 * Takes over what the file says that `--config` names: YAML or JSON whose keys are the command's own options, without the
 * dashes, and those of every command that say whom to believe of the chain. The options are the schema: a key that is no option is refused, and a value goes through its option's own parser.
 * What the command line says comes first.
 *
 * @param pathOf where a path is that the user wrote
 * @throws ConfigurationError when there is no such file, BadInputError when it is not valid
 */
export function applyConfigFile(command: Command, pathOf: (text: string) => string): void {
  const { config } = command.opts<{ config?: string }>();
  if (config === undefined) return;
  const path = pathOf(config);
  const values = readConfig(path);
  const root = rootOf(command);
  const options = new Map(
    [command, root].flatMap((owner) =>
      owner.options.map((option) => [option.long?.slice(2), { owner, option }] as const),
    ),
  );
  for (const [name, { owner }] of options) {
    const isShared = owner === command || (name !== undefined && sharedNames.includes(name));
    if (name === "config" || !isShared) options.delete(name);
  }
  for (const [key, value] of Object.entries(values)) {
    const found = options.get(key);
    if (found === undefined) {
      throw new BadInputError(`${path}: there is no option --${key}`, {
        next: `Keys are ${[...options.keys()].sort().join(", ")}.`,
      });
    }
    const { owner, option } = found;
    const name = option.attributeName();
    if (owner.getOptionValueSource(name) === "cli") continue;
    owner.setOptionValueWithSource(name, readValue(option, value, path), "config");
  }
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}

function readConfig(path: string): z.infer<typeof configSchema> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new ConfigurationError(`${path} cannot be read`, {
      next: "Name the file that --config should read.",
      cause,
    });
  }
  if (text.length > maximumBytes) throw new BadInputError(`${path} is too long to be a configuration`);
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem !== undefined) throw new BadInputError(`${path}: ${problem.message}`);
  const parsed = configSchema.safeParse(document.toJS({ maxAliasCount: 0 }) ?? {});
  if (!parsed.success) throw new BadInputError(`${path}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function readValue(option: Option, value: z.infer<typeof configSchema>[string], path: string): unknown {
  const refuse = (reason: string) => new BadInputError(`${path}: ${option.long?.slice(2)}: ${reason}`);
  if (option.isBoolean()) {
    if (typeof value === "boolean") return option.negate ? !value : value;
    throw refuse("It must be true or false.");
  }
  if (typeof value === "boolean") throw refuse("It must not be true or false.");
  const words = Array.isArray(value) ? value.map(String) : [String(value)];
  if (option.variadic) return words;
  if (Array.isArray(value)) throw refuse("It must be one value.");
  const [word] = words;
  try {
    return option.parseArg === undefined ? word : option.parseArg(word!, undefined);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw refuse(error.message);
    throw error;
  }
}
