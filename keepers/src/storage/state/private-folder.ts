import { chmod, mkdir } from "node:fs/promises";

/**
 * Makes a folder that its owner alone may enter, or makes an older one so: keys, secrets, databases and sockets lie in it, and
 * what libraries write there has whatever rights they choose.
 */
export async function privateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
}
