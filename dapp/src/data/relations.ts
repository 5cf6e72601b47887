import type { kinds } from "../../../keepers/src/roles/audit/rows.ts";

/** Tables that answers are made of: the kinds that audits compare, and what only the page asks for. */
export type TableName = keyof typeof kinds | "validators" | "locks" | "networks" | "days";

/** A field that leads to other rows. one: by the id it holds. many: by the ids it holds. back: by a field of theirs. */
export type Relation = {
  readonly table: TableName;
  readonly how: "one" | "many" | "back";
  /** Field of the other row that holds this one's id. */
  readonly by?: string;
};

const one = (table: TableName): Relation => ({ table, how: "one" });
const back = (table: TableName, by: string): Relation => ({ table, how: "back", by });

/** Where fields lead, as `subgraph/schema.graphql` says; fields that are not here hold values. */
export const relations: { readonly [T in TableName]?: { readonly [field: string]: Relation } } = {
  jobs: {
    order: one("orders"),
    dataset: one("datasets"),
    provider: one("operators"),
    result: one("datasets"),
    auction: one("auctions"),
    bids: back("bids", "job"),
    checkpoints: back("checkpoints", "job"),
    challenges: back("challenges", "job"),
    attestations: back("attestations", "job"),
    certificates: back("certificates", "job"),
    payments: back("payments", "job"),
    events: back("events", "job"),
  },
  orders: { dataset: one("datasets"), jobs: back("jobs", "order") },
  bids: { job: one("jobs"), provider: one("operators") },
  checkpoints: { job: one("jobs"), provider: one("operators"), result: one("datasets") },
  payments: { job: one("jobs"), dataset: one("datasets"), bundle: one("bundles") },
  slashes: { operator: one("operators") },
  challenges: {
    job: one("jobs"),
    challenger: one("operators"),
    provider: one("operators"),
    moves: back("moves", "challenge"),
  },
  attestations: { job: one("jobs"), members: { table: "validators", how: "many" } },
  validators: { operator: one("operators") },
  certificates: {
    job: one("jobs"),
    provider: one("operators"),
    order: one("orders"),
    dataset: one("datasets"),
    result: one("datasets"),
  },
  datasets: {
    previous: one("datasets"),
    versions: back("datasets", "previous"),
    bundles: back("bundles", "dataset"),
    ownerRetrievals: back("ownerRetrievals", "dataset"),
    jobs: back("jobs", "dataset"),
    events: back("events", "dataset"),
  },
  bundles: {
    dataset: one("datasets"),
    operator: one("operators"),
    audits: back("audits", "bundle"),
    events: back("events", "bundle"),
  },
  audits: { bundle: one("bundles"), operator: one("operators") },
  retrievals: { bundle: one("bundles"), operator: one("operators") },
  ownerRetrievals: { dataset: one("datasets") },
  operators: {
    bundles: back("bundles", "operator"),
    jobs: back("jobs", "provider"),
    slashes: back("slashes", "operator"),
    locks: back("locks", "operator"),
    challenges: back("challenges", "challenger"),
    events: back("events", "operator"),
  },
};

/** Tables by the names that queries have for one row of them. */
export const singular: { readonly [name: string]: TableName } = {
  network: "networks",
  job: "jobs",
  order: "orders",
  dataset: "datasets",
  bundle: "bundles",
  operator: "operators",
  certificate: "certificates",
  challenge: "challenges",
  validator: "validators",
};
