import { chmod, mkdir, mkdtemp, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BadInputError } from "../../core/errors.ts";
import { StateError } from "./errors.ts";

/** Files that neither the key nor the chain gives back, and small enough to be kept. Databases are told by their ending. */
const keyFiles = new Set(["peer.key", "bls.key", "secret", "run.json"]);
/** Folders of what can be fetched or computed again. */
const leftOut = new Set(["blobs", "incoming", "trees", "checkpoints"]);
const databaseEnding = ".sqlite";
/** Rows of the file that a backup is; far above what a keeper has. */
const mostFiles = 100_000;
/** "Assay" in the header of a backup, so that nothing else is taken for one. */
const applicationId = 0x41737361;

export type BackedUp = { files: number; bytes: number };

/**
 * Writes all of a keeper's folder that cannot be rebuilt into one file that only its owner reads: databases as they are at
 * one moment, also while the keeper runs, and keys.
 *
 * @throws BadInputError when the folder holds nothing of the kind, StateError when the file exists or cannot be written
 */
export async function backUp(folder: string, file: string): Promise<BackedUp> {
  const found = await listed(folder);
  if (found.length === 0) throw new BadInputError(`${folder} holds no state of a keeper`);
  await claim(file);
  const work = await mkdtemp(join(dirname(file), ".backup-"));
  try {
    const database = new DatabaseSync(file);
    let bytes = 0;
    try {
      database.exec(`PRAGMA application_id = ${applicationId}`);
      database.exec("CREATE TABLE files (path TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT");
      const insert = database.prepare("INSERT INTO files VALUES (?, ?)");
      for (const path of found) {
        const content = await contentOf(join(folder, path), join(work, "copy"));
        insert.run(path.split(sep).join("/"), content);
        bytes += content.length;
      }
    } finally {
      database.close();
    }
    return { files: found.length, bytes };
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Puts what a backup holds into a folder, readable by its owner only. Nothing that is there is replaced.
 *
 * @throws BadInputError when the file is no backup, StateError when something of it is in the folder already
 */
export async function restore(file: string, folder: string): Promise<BackedUp> {
  const files = read(file);
  for (const { path } of files) {
    const isThere = await readFile(join(folder, path)).then(
      () => true,
      () => false,
    );
    if (!isThere) continue;
    throw new StateError(`${join(folder, path)} is there already`, {
      kept: "nothing was changed",
      next: "name another folder",
    });
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const { path, content } of files) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    const temporary = `${target}.restored`;
    await writeFile(temporary, content, { mode: 0o600, flush: true });
    await chmod(temporary, 0o600);
    if (path.endsWith(databaseEnding)) mustBeWhole(temporary, path);
    await rename(temporary, target);
  }
  return { files: files.length, bytes: files.reduce((sum, { content }) => sum + content.length, 0) };
}

async function listed(folder: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (at: string): Promise<void> => {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory() && !leftOut.has(entry.name)) await walk(path);
      const isKept = keyFiles.has(entry.name) || entry.name.endsWith(databaseEnding);
      if (entry.isFile() && isKept) found.push(relative(folder, path));
    }
  };
  try {
    await walk(folder);
  } catch (cause) {
    throw new BadInputError(`${folder} cannot be read`, { cause });
  }
  return found.sort();
}

async function claim(file: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await (await open(file, "wx", 0o600)).close();
  } catch (cause) {
    throw new StateError(`${file} cannot be written, or is there already`, {
      kept: "nothing was changed",
      next: "name another file: backups are never overwritten",
      cause,
    });
  }
}

/** A database's content as of one moment, whoever writes to it meanwhile. */
async function contentOf(path: string, copy: string): Promise<Buffer> {
  if (!path.endsWith(databaseEnding)) return readFile(path);
  const database = new DatabaseSync(path, { readOnly: true, timeout: 30_000 });
  try {
    database.prepare("VACUUM INTO ?").run(copy);
  } finally {
    database.close();
  }
  const content = await readFile(copy);
  await rm(copy);
  return content;
}

function read(file: string): { path: string; content: Uint8Array }[] {
  const refused = (reason: string, cause?: unknown) =>
    new BadInputError(`${file} is no backup of a keeper: ${reason}`, { cause });
  try {
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      const id = database.prepare("PRAGMA application_id").get()?.application_id;
      if (Number(id) !== applicationId) throw refused("it is of another program");
      const rows = database.prepare("SELECT path, content FROM files LIMIT ?").all(mostFiles);
      return rows.map(({ path, content }) => {
        if (typeof path !== "string" || !(content instanceof Uint8Array)) throw refused("a row is malformed");
        const isKept = keyFiles.has(basename(path)) || path.endsWith(databaseEnding);
        const root = resolve("/restored");
        const isInside = resolve(root, path).startsWith(root + sep) && !path.includes("\\");
        if (!isKept || !isInside) throw refused("it names a file that no keeper has");
        return { path, content };
      });
    } finally {
      database.close();
    }
  } catch (error) {
    throw error instanceof BadInputError ? error : refused("it cannot be read", error);
  }
}

function mustBeWhole(path: string, name: string): void {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const verdict = database.prepare("PRAGMA integrity_check(1)").get()?.integrity_check;
    if (verdict !== "ok")
      throw new StateError(`${name} of the backup is damaged`, { next: "use another backup" });
  } finally {
    database.close();
  }
}
