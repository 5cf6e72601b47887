import { readFile, writeFile } from "node:fs/promises";
import { AssayError, exitCode } from "../core/errors.ts";
import { readSignedBid, readSignedOrder, type SignedBid, type SignedOrder } from "../core/market/messages.ts";
import type { CommandContext } from "./context.ts";

/** Writes a file that must not be there yet: a message that somebody signed is not replaced by another. @throws AssayError */
export async function writeNew(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: "wx" });
  } catch (cause) {
    const isThere = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw new AssayError(isThere ? `there is a file at ${path} already` : `${path} cannot be written`, {
      next: "Name another file.",
      exitCode: exitCode.cannotWrite,
      cause,
    });
  }
}

/** The signed order in a file. @throws AssayError, BadInputError */
export async function openSignedOrder(context: CommandContext, path: string): Promise<SignedOrder> {
  return readSignedOrder(await textOf(context.path(path), "signed order"));
}

/** The signed bid in a file. @throws AssayError, BadInputError */
export async function openSignedBid(context: CommandContext, path: string): Promise<SignedBid> {
  return readSignedBid(await textOf(context.path(path), "signed bid"));
}

async function textOf(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new AssayError(`the ${what} at ${path} cannot be read`, {
      next: "Check the path and its permissions.",
      exitCode: exitCode.unavailable,
      cause,
    });
  }
}
