import type { AssayEvent } from "../../chain/contracts.ts";
import { type Claim, settled, trusted, verified, wrong } from "./claims.ts";
import { differencesOf, hasFailed } from "./compare.ts";
import { eventRow } from "./event-rows.ts";
import type { ChainHistory, Stamps } from "./history.ts";
import { type KindName, kinds, type Row } from "./rows.ts";
import type { IndexFindings } from "./told.ts";
import { counted } from "./wording.ts";

export type IndexClaimParameters = {
  readonly history: ChainHistory;
  readonly findings: IndexFindings;
  /** Events that belong to what is audited, in order; the index knows which they are. */
  readonly events: readonly AssayEvent[];
  /** Events that what it tells follows from as well: slashes, transfers, covers. */
  readonly related: readonly AssayEvent[];
  readonly stamps: Stamps;
  /** What is audited, in a sentence: "this job". */
  readonly subject: string;
};

/** Claims about the index itself: that it answers, is up to date, and tells the whole history. */
export function indexClaims(parameters: IndexClaimParameters): Claim[] {
  return [answerClaim(parameters), currentClaim(parameters), historyClaim(parameters)];
}

function answerClaim({ findings }: IndexClaimParameters): Claim {
  const { url, failures, position } = findings;
  const parts = {
    id: "index-answers",
    topic: "index",
    statement: "The index answers what it is asked.",
    facts: [["address", url]],
  } as const;
  if (failures.length > 0) {
    return wrong({
      ...parts,
      how: `The index is of no use for this audit, in whole or in part: ${failures.join("; ")}. What it did not answer was read from the chain alone.`,
    });
  }
  if (position?.hasErrors === true)
    return wrong({ ...parts, how: "The index says of itself that its indexing has failed." });
  return verified({
    ...parts,
    how: "Every answer came in time, was of bounded size, and had the form that was asked for. What it says is not believed: see below.",
  });
}

function currentClaim({ findings, history, events, related, subject }: IndexClaimParameters): Claim {
  const { position, isOnChain, asOf } = findings;
  const newest = history.block.number;
  const parts = {
    id: "index-current",
    topic: "index",
    statement: `The index knows everything that has happened to ${subject}.`,
    facts: [
      ["newest block of the chain", `${newest} ${history.block.hash}`],
      [
        "newest block of the index",
        position === undefined ? "unknown" : `${position.number} ${position.hash ?? ""}`,
      ],
    ],
  } as const;
  if (position === undefined)
    return trusted({ ...parts, how: "The index does not say how far it has come; nothing of it is used." });
  if (isOnChain === false)
    return wrong({
      ...parts,
      how: `The index follows another chain: its block ${position.number} is not this chain's.`,
    });
  const later = [...new Set([...events, ...related])].filter(({ blockNumber }) => blockNumber > asOf);
  if (later.length > 0) {
    return wrong({
      ...parts,
      how: `The index stopped at block ${asOf}; after that ${counted(later.length, "event")} happened which it does not tell and which change what is to be said of ${subject}.`,
      differences: later.map(({ contract, eventName, blockNumber }) => ({
        what: `${contract}.${eventName} in block ${blockNumber}`,
        told: "nothing",
        found: "it happened",
      })),
    });
  }
  if (isOnChain === undefined)
    return trusted({
      ...parts,
      how: `It says that it has read the chain up to block ${position.number}, but not which block that is: whether it follows this chain was not checked.`,
    });
  return verified({
    ...parts,
    how:
      asOf === newest
        ? `It has read the chain up to block ${newest}, the newest there is, and the block's hash is the chain's.`
        : `It has read the chain up to block ${asOf}; nothing happened to ${subject} in the ${counted(Number(newest - asOf), "block")} since then.`,
  });
}

function historyClaim({ findings, events, stamps, subject }: IndexClaimParameters): Claim {
  const known = events.filter(({ blockNumber }) => blockNumber <= findings.asOf);
  const told = findings.told.events ?? { failure: "it was not asked" };
  const differences = differencesOf(
    "events",
    told,
    known.map((event) => eventRow(event, stamps)),
  );
  const read = `${counted(known.length, "event")} read from the chain again`;
  const parts = {
    id: "history",
    topic: "index",
    statement: `The index tells the whole history of ${subject}: it leaves nothing out, adds nothing, and changes nothing.`,
    facts: [["events on the chain", String(known.length)]],
  } as const;
  if (hasFailed(told))
    return trusted({ ...parts, how: `${read}; the index gave none that could be compared with them.` });
  return settled(differences, {
    ...parts,
    how: `${read}, and compared one by one with what the index tells, every parameter included.`,
    problem: `${counted(differences.length, "difference")} between what the index tells and the chain.`,
  });
}

/** How rows of an index were compared, for the end of a sentence. */
export function compared({ told, asOf, isBehind }: IndexFindings, name: KindName): string {
  const rows = told[name];
  const { noun } = kinds[name];
  if (rows === undefined || hasFailed(rows)) return "The index gave nothing to compare.";
  const tells = rows.length === 0 ? `tells of no ${noun}` : `tells ${counted(rows.length, noun)}`;
  return isBehind
    ? `The index, which stopped at block ${asOf}, ${tells}: what the chain had until then.`
    : `The index ${tells}, as the chain does.`;
}

/** Where an index's rows of some kinds differ from what they have to be. */
export function rowDifferences(
  { told }: IndexFindings,
  expected: { readonly [K in KindName]?: readonly Row[] },
) {
  return (Object.keys(expected) as KindName[]).flatMap((name) =>
    differencesOf(name, told[name] ?? [], expected[name]!),
  );
}
