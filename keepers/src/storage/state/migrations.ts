import type { DatabaseSync } from "node:sqlite";
import { StateError } from "./errors.ts";

/**
 * Tables of one part of the keeper. `migrations[i]` takes them from version i to i + 1; what has been released never
 * changes, changes are appended.
 */
export type Schema = { name: string; migrations: readonly string[] };

const bookkeeping =
  "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT";

/** Brings every schema to its newest version, all or none. Must run inside a transaction. */
export function migrate(database: DatabaseSync, schemas: readonly Schema[]): void {
  database.exec(bookkeeping);
  const select = database.prepare("SELECT version FROM migrations WHERE name = ?");
  const update = database.prepare(
    "INSERT INTO migrations (name, version) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET version = excluded.version",
  );
  for (const { name, migrations } of schemas) {
    const version = Number(select.get(name)?.version ?? 0);
    if (version > migrations.length) {
      throw new StateError(`the state was written by a newer version (${name} ${version})`, {
        kept: "nothing was changed",
        next: "update this program",
      });
    }
    if (version === migrations.length) continue;
    for (const migration of migrations.slice(version)) database.exec(migration);
    update.run(name, migrations.length);
  }
}
