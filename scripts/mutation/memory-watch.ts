import { existsSync, readdirSync, readFileSync } from "node:fs";

type Process = { readonly id: number; readonly parent: number; readonly bytes: number };

/** Every process of this machine, as Linux shows them; none elsewhere. */
function processes(): Process[] {
  if (!existsSync("/proc/self/status")) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, "utf8");
        const number = (field: string) =>
          Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
        return [{ id: Number(name), parent: number("PPid"), bytes: number("VmRSS") * 1024 }];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
}

/** Processes that descend from one, each before its own children. */
function descendants(of: number, all: readonly Process[]): Process[] {
  const found: Process[] = [];
  const parents = [of];
  for (const parent of parents) {
    const children = all.filter((each) => each.parent === parent);
    found.push(...children);
    parents.push(...children.map(({ id }) => id));
  }
  return found;
}

/**
 * Kills descendants of a process that keep more than a bound in memory, with all that they started: Node bounds its heap, not
 * the buffers beside it, and one changed line that never stops asking for them starves the machine. On Linux alone.
 *
 * @param of process whose descendants are watched; it is left alone itself
 * @param bytes of resident memory that one of them may have
 * @param every milliseconds between two looks
 * @returns ends the watch
 */
export function watchMemory(of: number, bytes: number, every = 500): () => void {
  const timer = setInterval(() => {
    const all = processes();
    for (const greedy of descendants(of, all).filter((each) => each.bytes > bytes)) {
      for (const { id } of [greedy, ...descendants(greedy.id, all)]) {
        try {
          process.kill(id, "SIGKILL");
        } catch {
          // It has ended by itself.
        }
      }
    }
  }, every);
  return () => clearInterval(timer);
}
