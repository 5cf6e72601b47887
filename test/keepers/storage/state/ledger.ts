import type { Schema } from "../../../../keepers/src/storage/state/migrations.ts";

/** A table in which every id must have both sides, or a transaction was torn. */
export const ledger: Schema = {
  name: "ledger",
  migrations: [
    "CREATE TABLE ledger (id INTEGER NOT NULL, side TEXT NOT NULL, PRIMARY KEY (id, side)) STRICT",
  ],
};
