import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const queries = join(import.meta.dirname, "queries");

/** A ready-made query: the comment that it begins with says what it answers. */
export type ReadyMadeQuery = { readonly name: string; readonly question: string; readonly text: string };

/** In the order in which the page shows them. */
const order = [
  "recent-jobs",
  "ordered-jobs",
  "posted-orders",
  "training-data",
  "who-trained",
  "who-checked",
  "what-went-wrong",
  "who-was-paid",
  "model-certificate",
  "job-history",
  "job-as-of-block",
  "stored-datasets",
  "offered-datasets",
  "offered-dataset",
  "stored-file",
  "lineage",
  "storage-health",
  "bundle-audits",
  "slashed-operators",
  "operators-at-work",
  "operator-record",
  "operator-jobs",
  "operator-bundles",
  "operator-work",
  "daily-totals",
  "network-totals",
  "find",
];

export function readyMadeQueries(): ReadyMadeQuery[] {
  const names = readdirSync(queries)
    .filter((name) => name.endsWith(".graphql"))
    .map((name) => name.slice(0, -".graphql".length));
  const placeless = names.filter((name) => !order.includes(name));
  if (placeless.length > 0) throw new Error(`queries without a place in the order: ${placeless.join(", ")}`);
  return names
    .sort((a, b) => order.indexOf(a) - order.indexOf(b))
    .map((name) => {
      const [first, ...rest] = readFileSync(join(queries, `${name}.graphql`), "utf8").split("\n");
      return { name, question: first!.replace(/^# /, ""), text: rest.join("\n").trim() };
    });
}
