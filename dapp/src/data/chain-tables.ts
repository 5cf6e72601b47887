import type { AssayEvent } from "../../../keepers/src/chain/contracts.ts";
import { Attribution } from "../../../keepers/src/roles/audit/attribution.ts";
import { datasetRows } from "../../../keepers/src/roles/audit/dataset-rows.ts";
import { eventRow } from "../../../keepers/src/roles/audit/event-rows.ts";
import type { Stamps } from "../../../keepers/src/roles/audit/history.ts";
import { jobRows } from "../../../keepers/src/roles/audit/job-rows.ts";
import { earning, operatorRows } from "../../../keepers/src/roles/audit/operator-rows.ts";
import { paymentRows } from "../../../keepers/src/roles/audit/payment-rows.ts";
import type { Row } from "../../../keepers/src/roles/audit/rows.ts";
import { slashRows } from "../../../keepers/src/roles/audit/slash-rows.ts";
import type { Tables } from "./answer.ts";

/** Everything that the page asks for, folded from all events of the contracts: what an index would have to tell. */
export function tablesOf(events: readonly AssayEvent[], stamps: Stamps): Tables {
  const attribution = new Attribution(events);
  const jobs = jobRows(events, stamps, attribution);
  const { answers: _, ...datasets } = datasetRows(events, stamps);
  const slashes = slashRows(events, stamps);
  const payments = paymentRows(events, stamps, attribution);
  const operators = operatorRows(events, stamps, attribution);
  const rows = { ...jobs, ...datasets, slashes, payments, operators };
  const table = (list: readonly Row[]): ReadonlyMap<string, Row> => new Map(list.map((row) => [row.id, row]));
  return {
    ...(Object.fromEntries(Object.entries(rows).map(([name, list]) => [name, table(list)])) as {
      readonly [N in keyof typeof rows]: ReadonlyMap<string, Row>;
    }),
    jobs: table(jobs.jobs),
    events: table(events.map((event) => ({ ...eventRow(event, stamps), ...subjectsOf(event, attribution) }))),
    validators: table(validatorRows(events)),
    locks: table(lockRows(events)),
    networks: table([networkRow(rows)]),
    days: table(dayRows(rows)),
  };
}

function subjectsOf(event: AssayEvent, attribution: Attribution) {
  const { job = null, dataset = null, operator = null, bundle = null } = attribution.subjectsOf(event);
  return { job, dataset, operator, bundle };
}

function validatorRows(events: readonly AssayEvent[]): Row[] {
  const validators = new Map<string, { id: string; operator: string; weight: string }>();
  for (const event of events) {
    if (event.contract !== "ValidatorSet") continue;
    if (event.eventName === "Enrolled") {
      const [id, operator] = [String(event.args.id), event.args.operator.toLowerCase()];
      validators.set(id, { id, operator, weight: "0" });
    } else if (event.eventName === "WeightSet") {
      validators.get(String(event.args.id))!.weight = String(event.args.weight);
    }
  }
  return [...validators.values()];
}

function lockRows(events: readonly AssayEvent[]): Row[] {
  const locks = new Map<string, { id: string; operator: string; module: string; amount: bigint }>();
  for (const event of events) {
    if (event.contract !== "Staking") continue;
    if (event.eventName !== "Locked" && event.eventName !== "Unlocked" && event.eventName !== "Slashed")
      continue;
    const [operator, module] = [event.args.operator.toLowerCase(), event.args.module.toLowerCase()];
    const id = `${operator}${module.slice(2)}`;
    const lock = locks.get(id) ?? { id, operator, module, amount: 0n };
    const { amount } = event.args;
    if (event.eventName === "Locked") lock.amount += amount;
    else lock.amount -= amount;
    locks.set(id, lock);
  }
  return [...locks.values()].map((lock) => ({ ...lock, amount: String(lock.amount) }));
}

type Known = { readonly [name: string]: readonly Row[] };

const sum = (rows: readonly Row[], field: string) =>
  String(rows.reduce((total, row) => total + BigInt(String(row[field] ?? 0)), 0n));
const count = (rows: readonly Row[], field: string, value: unknown) =>
  rows.filter((row) => row[field] === value).length;

function networkRow(rows: Known): Row {
  const { operators = [], jobs = [], audits = [], challenges = [], payments = [] } = rows;
  return {
    id: "assay",
    operators: count(operators, "isActive", true),
    staked: sum(operators, "staked"),
    slashed: sum(operators, "slashed"),
    burnt: sum(rows.slashes ?? [], "burnt"),
    datasets: rows.datasets?.length ?? 0,
    bundles: rows.bundles?.length ?? 0,
    orders: rows.orders?.length ?? 0,
    jobs: jobs.length,
    jobsFinalised: count(jobs, "status", "Finalised"),
    jobsFailed: count(jobs, "status", "Failed"),
    challenges: challenges.length,
    convictions: count(challenges, "status", "Convicted"),
    paid: sum(
      payments.filter(({ kind }) => earning.has(String(kind))),
      "amount",
    ),
    auditsAnswered: count(audits, "isAnswered", true),
    auditsMissed: count(audits, "isAnswered", false),
  };
}

const secondsOfDay = 86_400n;

function dayRows(rows: Known): Row[] {
  const dayOf = (time: unknown) => String(BigInt(String(time)) / secondsOfDay);
  const days = new Set<string>();
  const by = (name: string, time: string, meets: (row: Row) => boolean = () => true) => {
    const groups = Map.groupBy(
      (rows[name] ?? []).filter((row) => row[time] !== null && meets(row)),
      (row) => dayOf(row[time]),
    );
    for (const day of groups.keys()) days.add(day);
    return (day: string) => groups.get(day) ?? [];
  };
  const parts = {
    datasets: by("datasets", "anchoredAt"),
    jobsOpened: by("jobs", "openedAt"),
    jobsFinalised: by("jobs", "endedAt", ({ status }) => status === "Finalised"),
    jobsFailed: by("jobs", "endedAt", ({ status }) => status === "Failed"),
    challenges: by("challenges", "openedAt"),
    auditsAnswered: by("audits", "timestamp", ({ isAnswered }) => isAnswered === true),
    auditsMissed: by("audits", "timestamp", ({ isAnswered }) => isAnswered === false),
  };
  const paid = by("payments", "timestamp", ({ kind }) => earning.has(String(kind)));
  const slashed = by("slashes", "timestamp");
  return [...days].map((id) => ({
    id,
    start: String(BigInt(id) * secondsOfDay),
    ...Object.fromEntries(Object.entries(parts).map(([name, rowsOf]) => [name, rowsOf(id).length])),
    paid: sum(paid(id), "amount"),
    slashed: sum(slashed(id), "amount"),
  }));
}
