import { bytesToHex, type Hex, hexToBytes } from "viem";
import type { AssayEvent } from "../../chain/contracts.ts";
import { AssayError, BadInputError } from "../../core/errors.ts";
import { bundlesTree } from "../../core/merkle/bundles-root.ts";
import type { ProofReport } from "../../storage/client/check-proofs.ts";
import type { StorageClient } from "../../storage/client/client.ts";
import type { CommitBundle } from "../../storage/client/stage.ts";
import { type Check, verify } from "../../storage/client/verify.ts";
import { type Claim, settled, trusted, verified, wrong } from "./claims.ts";
import { datasetRows } from "./dataset-rows.ts";
import type { Stamps } from "./history.ts";
import { compared, indexClaims, rowDifferences } from "./index-claims.ts";
import { rpcClaim } from "./job-claims.ts";
import type { GatherParameters } from "./job-evidence.ts";
import { paymentRows } from "./payment-rows.ts";
import type { HealthPicture, Picture } from "./pictures/types.ts";
import type { Row } from "./rows.ts";
import { askIndex, type IndexFindings, inParts } from "./told.ts";
import { isFraud } from "./tried.ts";
import { account, counted, instant, tokens } from "./wording.ts";

/** How what is stored is looked at; without it chain and index are compared alone. */
export type StorageAuditParameters = {
  readonly client: StorageClient;
  readonly commit: CommitBundle;
  /** Whether every bundle is downloaded. */
  readonly full: boolean;
};

/** Everything that claims about a dataset are made from. */
export type DatasetEvidence = {
  readonly datasetId: Hex;
  readonly events: readonly AssayEvent[];
  readonly stamps: Stamps;
  readonly rows: ReturnType<typeof datasetRows>;
  readonly findings: IndexFindings;
  readonly claims: readonly Claim[];
};

/**
 * Gathers what is known of a dataset, and checks it.
 *
 * @throws BadInputError when there is no such dataset; what the chain's endpoint throws
 */
export async function auditDataset(
  parameters: GatherParameters,
  datasetId: Hex,
  storage?: StorageAuditParameters,
): Promise<DatasetEvidence> {
  const { client, history, attribution, index, signal } = parameters;
  const bundles = new Set(
    history.events.flatMap((event) =>
      event.contract === "BundleRegistry" &&
      event.eventName === "BundlePlaced" &&
      event.args.datasetId === datasetId
        ? [event.args.bundleId as string]
        : [],
    ),
  );
  const events = history.events.filter((event) => {
    const { dataset, bundle } = attribution.subjectsOf(event);
    return dataset === datasetId || (bundle !== undefined && bundles.has(bundle));
  });
  if (events.length === 0) {
    throw new BadInputError(`there is no dataset ${datasetId} on this chain`, {
      next: "A dataset id is 0x and 64 hexadecimal digits; `assay data list` shows yours.",
    });
  }
  const covers = coversOf(history.events, bundles);
  const stamps = await parameters.stamps.read([...events, ...covers]);
  const folded = (all: readonly AssayEvent[]) => datasetRows(inOrder([...all]), stamps);
  const rows = folded([...events, ...covers]);
  const payments = paymentRows(events, stamps, attribution);
  const ids = [...bundles];
  const ofBundles = inParts(ids, (part) => ({ bundle_in: part }));
  const ofDataset = inParts(ids, (part, i) =>
    i === 0 ? { or: [{ dataset: datasetId }, { bundle_in: part }] } : { bundle_in: part },
  );
  const findings = await askIndex({
    ...index,
    client,
    history,
    signal,
    questions: [
      { kind: "events", where: ofDataset, rows: events.length },
      { kind: "datasets", where: { id: datasetId }, rows: 1 },
      { kind: "bundles", where: { dataset: datasetId }, rows: rows.bundles.length },
      { kind: "audits", where: ofBundles, rows: rows.audits.length },
      { kind: "retrievals", where: ofBundles, rows: rows.retrievals.length },
      { kind: "ownerRetrievals", where: { dataset: datasetId }, rows: rows.ownerRetrievals.length },
      { kind: "payments", where: ofDataset, rows: payments.length },
    ],
  });
  const asOf = ({ blockNumber }: AssayEvent) => blockNumber <= findings.asOf;
  const before = folded([...events, ...covers].filter(asOf));
  const paymentsAsOf = paymentRows(events.filter(asOf), stamps, attribution);
  const parts = { datasetId, events, stamps, rows, findings };
  const claims = [
    ...indexClaims({ history, findings, events, related: covers, stamps, subject: "this dataset" }),
    anchorClaim(parts, before),
    rootsClaim(parts),
    holdersClaim(parts, before),
    auditsClaim(parts, before),
    retrievalsClaim(parts, before),
    ownerRetrievalsClaim(parts, before),
    feesClaim(parts, payments, paymentsAsOf),
    ...(storage === undefined ? [unlooked] : await storageClaims(datasetId, storage, signal)),
    rpcClaim(),
  ];
  return { ...parts, claims };
}

type Parts = Omit<DatasetEvidence, "claims">;
type Before = DatasetEvidence["rows"];

/** Covers that stand for some of the bundles, and the audits that were answered for them. */
function coversOf(all: readonly AssayEvent[], bundles: ReadonlySet<string>): AssayEvent[] {
  const covers = new Set<string>();
  return all.filter((event) => {
    if (event.contract === "BundleRegistry" && event.eventName === "CoverRegistered") {
      const isOurs = event.args.bundleIds.some((id) => bundles.has(id));
      if (isOurs) covers.add(event.args.coverId);
      return isOurs;
    }
    return (
      event.contract === "StorageAudit" &&
      event.eventName === "AuditAnswered" &&
      covers.has(event.args.dutyId)
    );
  });
}

function inOrder(events: AssayEvent[]): AssayEvent[] {
  return events.sort((a, b) =>
    a.blockNumber === b.blockNumber ? a.logIndex - b.logIndex : a.blockNumber < b.blockNumber ? -1 : 1,
  );
}

function anchorClaim({ rows, findings, events }: Parts, before: Before): Claim {
  const [dataset] = rows.datasets as [Row];
  return settled(rowDifferences(findings, { datasets: before.datasets }), {
    id: "anchor",
    topic: "data",
    statement: `${account(String(dataset.owner))} anchored ${counted(Number(dataset.objectCount), "object")} of ${dataset.objectSize} bytes on ${instant(BigInt(String(dataset.anchoredAt)))}${dataset.isFraudulent === true ? "; it was proven that they were encoded wrongly" : ""}.`,
    how: `Read from the event that anchored it. ${compared(findings, "datasets")}`,
    problem: "What is told of the dataset is not what was anchored.",
    facts: [
      ["root of the objects", String(dataset.objectRoot)],
      ["root of the bundles", String(dataset.bundlesRoot)],
      ["manifest (keccak256)", String(dataset.manifestHash)],
      ["bundles needed, and made, for each segment", `${dataset.k}, ${dataset.n}`],
    ],
    transactions: [events[0]!.transactionHash],
  });
}

/** Both roots of every bundle that the anchor stands for, placed or not. */
function bundleRoots(events: readonly AssayEvent[]) {
  return events.flatMap((event) =>
    event.contract === "DatasetRegistry" && event.eventName === "BundleRoots"
      ? event.args.poseidonRoots.map((root, i) => ({
          poseidonRoot: hexToBytes(root),
          transportRoot: hexToBytes(event.args.transportRoots[i]!),
        }))
      : [],
  );
}

function rootsClaim({ rows, events }: Parts): Claim {
  const roots = bundleRoots(events);
  const found = bytesToHex(bundlesTree(roots).root);
  const anchored = String(rows.datasets[0]!.bundlesRoot);
  const differences = found === anchored ? [] : [{ what: "root of the bundles", told: anchored, found }];
  return settled(differences, {
    id: "roots",
    topic: "data",
    statement: `The anchor stands for exactly ${counted(roots.length, "bundle")}.`,
    how: "The root over both roots of every bundle was computed again here, and is the anchored one.",
    problem: "The anchored root is not that of the bundles.",
  });
}

function holdersClaim({ rows, findings, events }: Parts, before: Before): Claim {
  const made = bundleRoots(events).length;
  const held = rows.bundles.filter(({ isPlaced }) => isPlaced === true).length;
  const repairs = rows.bundles.reduce((sum, bundle) => sum + Number(bundle.repairs), 0);
  return settled(rowDifferences(findings, { bundles: before.bundles }), {
    id: "holders",
    topic: "data",
    statement: `${held} of ${counted(made, "bundle")} ${held === 1 ? "has" : "have"} a holder; ${counted(repairs, "repair")} so far.`,
    how: `Every placement, loss and repair was read from the chain. ${compared(findings, "bundles")}`,
    problem: "What is told of the holders is not so.",
    facts: rows.bundles.map(
      ({ index, operator }) => [`bundle ${index}`, String(operator ?? "nobody")] as const,
    ),
  });
}

function auditsClaim({ rows, findings }: Parts, before: Before): Claim {
  const sum = (field: string) => rows.bundles.reduce((total, bundle) => total + Number(bundle[field]), 0);
  return settled(rowDifferences(findings, { audits: before.audits }), {
    id: "audits",
    topic: "data",
    statement: `Holders had to prove that they still have what they hold: ${sum("auditsAnswered")} times they did, ${sum("auditsMissed")} times they did not.`,
    how: `Each answer is a transaction that the contract would have refused with a false proof. ${compared(findings, "audits")}`,
    problem: "What is told of the audits is not what happened: answers are invented, or misses hidden.",
  });
}

function retrievalsClaim({ rows, findings }: Parts, before: Before): Claim {
  const failed = rows.retrievals.filter(({ status }) => status === "Failed").length;
  return settled(rowDifferences(findings, { retrievals: before.retrievals }), {
    id: "retrievals",
    topic: "data",
    statement:
      rows.retrievals.length === 0
        ? "Nobody had to demand a piece of it on chain."
        : `${counted(rows.retrievals.length, "piece")} demanded on chain; ${failed} not shown in time.`,
    how: `Read from the chain. ${compared(findings, "retrievals")}`,
    problem: "What is told of the demands is not what happened.",
  });
}

function ownerRetrievalsClaim({ rows, findings }: Parts, before: Before): Claim {
  const asked = rows.ownerRetrievals;
  const open = asked.filter(({ status }) => status === "Open").length;
  return settled(rowDifferences(findings, { ownerRetrievals: before.ownerRetrievals }), {
    id: "owner-retrievals",
    topic: "data",
    statement:
      asked.length === 0
        ? "Nobody had to demand of its owner what no holder owes."
        : `${counted(asked.length, "piece")} that no holder owed demanded of its owner on chain; ${open} not shown so far.`,
    how: `Read from the chain. ${compared(findings, "ownerRetrievals")}`,
    problem: "What is told of the demands on the owner is not what happened.",
  });
}

function feesClaim({ findings }: Parts, payments: readonly Row[], paymentsAsOf: readonly Row[]): Claim {
  const sum = payments.reduce((total, { amount }) => total + BigInt(String(amount)), 0n);
  return settled(rowDifferences(findings, { payments: paymentsAsOf }), {
    id: "payments",
    topic: "money",
    statement: `Holders were paid ${tokens(sum)} for keeping and repairing it.`,
    how: `${counted(payments.length, "payment")} read from the chain again. ${compared(findings, "payments")}`,
    problem: "What is told of the payments is not what was paid.",
    facts: payments.map(
      ({ kind, to, amount }) => [`${kind} to ${to}`, tokens(BigInt(String(amount)))] as const,
    ),
  });
}

const checks: Readonly<Record<string, string>> = {
  anchor: "The dataset is alive: its owner pays for it, and nobody has shown that it is wrong.",
  manifest: "The description of the dataset that holders give is the anchored one.",
  holders: "Enough holders are left to put every part of the data together again.",
  possession: "The last proofs of possession are right.",
  bundles: "Every bundle can be downloaded, and is what was anchored.",
  code: "The bundles fit together: any few of them give the rest.",
  objects: "The list of object hashes that is stored is the anchored one.",
};

const looked = {
  id: "storage",
  topic: "data",
  statement: "What is stored can be fetched and is what was anchored.",
} as const;
const unlooked = trusted({ ...looked, how: "Not checked: this audit looks at chain and index alone." });
const noProof = "There is no proof of possession that could be verified here, and none is overdue.";

/** One check of what is stored, as a claim. */
export function storageClaim({ what, ok, isComplete, detail }: Check, proofs: ProofReport): Claim {
  const isPossession = what === "possession";
  const transactions = isPossession ? proofs.transactions : [];
  const statement = checks[what] ?? what;
  const parts = { id: `storage-${what}`, topic: "data", statement, transactions } as const;
  if (!ok) return wrong({ ...parts, how: `${detail}.` });
  if (!isPossession) return (isComplete ? verified : trusted)({ ...parts, how: `${detail}.` });
  const reasons = [...new Set(proofs.unproven.map(({ reason }) => reason))];
  const why = reasons.length === 0 ? detail : `${detail} (${reasons.join("; ")})`;
  return proofs.proven.length === 0
    ? trusted({ ...parts, statement: noProof, how: `${why}.` })
    : verified({ ...parts, how: `Groth16 proofs verified again here: ${why}.` });
}

/** What `assay data verify` checks, as claims. */
async function storageClaims(
  datasetId: Hex,
  { client, commit, full }: StorageAuditParameters,
  signal: AbortSignal | undefined,
): Promise<Claim[]> {
  try {
    const { checks: done, trusted: rest, proofs } = await verify(client, { datasetId, commit, full, signal });
    return [
      ...done.map((check) => storageClaim(check, proofs)),
      ...rest.map((what, i) =>
        trusted({
          id: `storage-rest-${i}`,
          topic: "trust",
          statement: `${what}.`,
          how: "It follows from nothing that was checked here.",
        }),
      ),
    ];
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof AssayError)) throw error;
    return [
      isFraud(error)
        ? wrong({ ...looked, how: `Its owner has anchored what does not hold together: ${error.message}` })
        : trusted({ ...looked, how: `It could not be looked at: ${error.message}.` }),
    ];
  }
}

/** Epochs that fit beside one another. */
const mostEpochs = 16;

export function datasetPictures({ rows, events, datasetId }: DatasetEvidence): Picture[] {
  const audits = rows.answers;
  if (audits.length === 0) return [];
  let last = 0;
  let earliest = Number.POSITIVE_INFINITY;
  const cells = new Map<string, "answered" | "missed">();
  for (const { bundle, epoch, isAnswered } of audits) {
    last = Math.max(last, epoch);
    earliest = Math.min(earliest, epoch);
    const place = `${bundle} ${epoch}`;
    if (!isAnswered) cells.set(place, "missed");
    else if (!cells.has(place)) cells.set(place, "answered");
  }
  const first = Math.max(earliest, last - mostEpochs + 1);
  const epochs = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const picture: HealthPicture = {
    kind: "health",
    topic: "data",
    title: "Who proved possession, epoch by epoch",
    description: `Audits of dataset ${datasetId} in epochs ${first} to ${last}, from ${events.length} events.`,
    columns: epochs.map(String),
    rows: rows.bundles
      .toSorted((a, b) => Number(a.index) - Number(b.index))
      .map(({ id, index, operator }) => ({
        label: `bundle ${index} · ${operator === null ? "nobody" : account(String(operator))}`,
        cells: epochs.map((epoch) => cells.get(`${id} ${epoch}`) ?? ("none" as const)),
      })),
  };
  return [picture];
}
