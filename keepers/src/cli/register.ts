import type { Command } from "commander";
import type { CommandContext } from "./context.ts";

/** What a command does with its arguments; the exit code when it is not 0. */
export type Work<Arguments extends readonly unknown[]> = (
  context: CommandContext,
  ...args: Arguments
  // biome-ignore lint/suspicious/noConfusingVoidType: most commands return nothing
) => Promise<number | void>;

/** Ties work to commands: it gets a context that is closed afterwards, and its failures become exit codes. */
export type Register = {
  /** For commander's `action`. The arguments are the command's own, then its options. */
  action<Arguments extends readonly unknown[]>(work: Work<Arguments>): (...args: unknown[]) => Promise<void>;
};

/** Adds commands to the program. */
export type Commands = (program: Command, register: Register) => void;
