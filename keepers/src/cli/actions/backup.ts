import { backUp, restore } from "../../storage/state/backup.ts";
import type { CommandContext } from "../context.ts";

/** `assay keeper backup` */
export async function backUpKeeper(context: CommandContext, folder: string, file: string): Promise<void> {
  const path = context.path(file);
  const { files, bytes } = await backUp(context.path(folder), path);
  context.output.result({ path, files, bytes }, [
    `${files} files, ${bytes} bytes: ${path}`,
    "Keep it as you keep the key: it holds secrets. The keystore is not in it.",
  ]);
}

/** `assay keeper restore` */
export async function restoreKeeper(context: CommandContext, file: string, folder: string): Promise<void> {
  const path = context.path(folder);
  const { files, bytes } = await restore(context.path(file), path);
  context.output.result({ path, files, bytes }, [`${files} files, ${bytes} bytes: ${path}`]);
}
