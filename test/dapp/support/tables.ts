import type { Tables } from "../../../dapp/src/data/answer.ts";
import type { Row } from "../../../keepers/src/roles/audit/rows.ts";

const names =
  "jobs orders bids auctions checkpoints payments slashes challenges moves attestations certificates datasets bundles audits retrievals ownerRetrievals operators events validators locks networks days";

/** Tables of these rows, and all others empty. */
export function tables(given: { readonly [name: string]: readonly object[] }): Tables {
  return Object.fromEntries(
    names
      .split(" ")
      .map((name) => [name, new Map(((given[name] ?? []) as Row[]).map((row) => [String(row.id), row]))]),
  ) as unknown as Tables;
}
