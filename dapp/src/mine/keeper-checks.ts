import type { KeeperSaid } from "./own-keeper.ts";

/** A part of a keeper, whether it is well, and what it says beside that. */
export type KeeperCheck = { readonly name: string; readonly ok: boolean; readonly said: string };

/** What a keeper's report says of each of its parts; those that are not well first. */
export function checksOf({ checks }: KeeperSaid["report"]): KeeperCheck[] {
  return Object.entries(checks)
    .map(([name, { ok, ...rest }]) => ({ name, ok, said: inWords(rest) }))
    .sort((a, b) => Number(a.ok) - Number(b.ok) || (a.name < b.name ? -1 : 1));
}

/** "block 12, behind 0": names and values as they are, of what is nested too; nothing of what is empty. */
function inWords(fields: object): string {
  return Object.entries(fields)
    .flatMap(([name, value]: [string, unknown]) => {
      if (value === null || value === undefined || value === "") return [];
      if (typeof value !== "object") return [`${name} ${String(value)}`];
      const inner = inWords(value);
      return inner === "" ? [] : [`${name}: ${inner}`];
    })
    .join(", ");
}
