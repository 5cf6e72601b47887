// Writes rows for ever, announcing each committed one; the test kills it without warning.
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { ledger } from "./ledger.ts";

const state = openState({ path: process.argv[2]!, schemas: [ledger] });
const start = Number(state.get("SELECT coalesce(max(id), 0) AS last FROM ledger")!.last);
for (let id = start + 1; ; id++) {
  state.transaction(() => {
    state.run("INSERT INTO ledger (id, side) VALUES (?, 'debit')", id);
    // A half-done transaction must be on the table for long enough to be hit.
    const until = performance.now() + 2;
    while (performance.now() < until);
    state.run("INSERT INTO ledger (id, side) VALUES (?, 'credit')", id);
  });
  process.stdout.write(`${id}\n`);
}
