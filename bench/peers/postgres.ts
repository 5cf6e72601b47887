import { execFileSync } from "node:child_process";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../test/keepers/cli/terminal.ts";
import { command } from "./indexers.ts";

/**
 * A commit waits for no disk, as the embedded node's do not: what was committed last may be lost with the power, and
 * nothing else. Memory and log are large enough that no checkpoint falls into a run.
 */
const settings = {
  listen_addresses: "127.0.0.1",
  synchronous_commit: "off",
  shared_buffers: "512MB",
  max_wal_size: "4GB",
};

/** PostgreSQL does not run as root: root starts it as the account that packages make for it. */
function account(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

/** A PostgreSQL server of its own, on a free port and in a new folder, with no tables. */
export class Postgres {
  readonly port: number;
  readonly #stop: () => Promise<void>;

  private constructor(port: number, stop: () => Promise<void>) {
    this.port = port;
    this.#stop = stop;
  }

  static async start(): Promise<Postgres> {
    const folder = await mkdtemp(join(tmpdir(), "assay-postgres-"));
    const as = { cwd: folder, ...account() };
    if (as.uid !== undefined && as.gid !== undefined) await chown(folder, as.uid, as.gid);
    const data = join(folder, "data");
    const port = await freePort();
    const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
    const given = `-p ${port} -k ${folder} ${options.join(" ")}`;
    try {
      await command("initdb", ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"], as);
      await command("pg_ctl", ["start", "-w", "-D", data, "-l", join(folder, "log"), "-o", given], as);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new Error("PostgreSQL is not here to compare with: needs its initdb and pg_ctl on the path");
    }
    return new Postgres(port, async () => {
      await command("pg_ctl", ["stop", "-w", "-m", "fast", "-D", data], as);
      await rm(folder, { recursive: true, force: true });
    });
  }

  /** Its major version, as the programs on the path tell it. */
  static version(): string {
    return /\d+/.exec(execFileSync("pg_ctl", ["--version"], { encoding: "utf8" }))![0];
  }

  get url(): string {
    return `postgres://postgres:bench@127.0.0.1:${this.port}/postgres`;
  }

  stop(): Promise<void> {
    return this.#stop();
  }
}
