import type { Difference } from "./claims.ts";
import { normalParameters } from "./event-rows.ts";
import { type Kind, type KindName, kinds, type Row, type Value } from "./rows.ts";

/** What an index told of one kind: its rows, or why there are none that can be compared. */
export type Told = readonly Row[] | { readonly failure: string };

export function hasFailed(told: Told): told is { readonly failure: string } {
  return "failure" in told;
}

/**
 * Where an index's rows differ from what they have to be: rows that it leaves out, invents, or gives other fields.
 * Nothing differs where it gave no answer: that it did not is a claim of its own.
 */
export function differencesOf(name: KindName, told: Told, expected: readonly Row[]): Difference[] {
  if (hasFailed(told)) return [];
  const kind: Kind = kinds[name];
  const byId = new Map<string, Row>();
  const repeated: Row[] = [];
  for (const row of told) {
    const id = row.id.toLowerCase();
    if (byId.has(id)) repeated.push(row);
    else byId.set(id, row);
  }
  const differences: Difference[] = [];
  for (const row of expected) {
    const given = byId.get(row.id.toLowerCase());
    byId.delete(row.id.toLowerCase());
    if (given === undefined) {
      differences.push({ what: `a ${kind.noun} is left out`, told: "nothing", found: describe(kind, row) });
      continue;
    }
    for (const field of Object.keys(kind.fields)) {
      const [one, other] = [normal(field, given[field]), normal(field, row[field])];
      if (one === other) continue;
      const what = `${kind.noun} ${shortened(row.id)}: ${field}`;
      differences.push({ what, told: shown(given[field]), found: shown(row[field]) });
    }
  }
  for (const row of byId.values())
    differences.push({ what: `a ${kind.noun} is invented`, told: describe(kind, row), found: "nothing" });
  // A reader of the index sees both, and cannot know which of them is meant.
  for (const row of repeated) {
    const what = `a ${kind.noun} is invented: its id is told twice`;
    differences.push({ what, told: describe(kind, row), found: "one with this id" });
  }
  return differences;
}

/** Two values are the same when these are the same; undefined where there is none. */
function normal(field: string, value: Value | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (field === "parameters" && typeof value === "string") return normalParameters(value);
  // An index gives the entities that a list refers to in an order of its own.
  if (typeof value === "object") return JSON.stringify(value.map(normalText).toSorted());
  return normalText(String(value));
}

/** Only of hexadecimal does the case say nothing: a peer's address with another one is another address. */
function normalText(text: string): string {
  return /^0x[0-9a-f]*$/i.test(text) ? text.toLowerCase() : text;
}

/** Fields of a row that say most, in one line. */
function describe({ fields }: Kind, row: Row): string {
  const told = Object.keys(fields)
    .filter((field) => row[field] !== null && row[field] !== undefined)
    .slice(0, 6)
    .map((field) => `${field} ${shown(row[field], 80)}`);
  return `${shortened(row.id)} (${told.join(", ")})`;
}

function shown(value: Value | undefined, most = 160): string {
  if (value === undefined || value === null) return "none";
  const text = typeof value === "object" ? value.join(", ") : String(value);
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}

/** Long ids by their ends. */
export function shortened(id: string): string {
  return id.length <= 24 ? id : `${id.slice(0, 10)}…${id.slice(-6)}`;
}
