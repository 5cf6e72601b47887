import type { ContractFunctionReturnType, Hex } from "viem";
import type { abis } from "../../chain/abi/index.ts";
import type { ChainClient } from "../../chain/client.ts";
import type { AssayEvent, Contracts } from "../../chain/contracts.ts";
import { explainRevert } from "../../chain/revert.ts";
import { BadInputError } from "../../core/errors.ts";
import { noInterval } from "../../training/dispute/moves.ts";
import { type ChallengeRecord, type DisputeEvent, foldChallenge } from "../jobs/challenge-record.ts";
import { foldJob, type JobEvent, type JobRecord } from "../jobs/job-record.ts";
import type { Attribution } from "./attribution.ts";
import type { ChainHistory, StampReader, Stamps } from "./history.ts";
import type { IndexReader } from "./index-reader.ts";
import { type JobRows, jobRows } from "./job-rows.ts";
import type { Row } from "./rows.ts";
import { type SignatureFinding, signatureFindings } from "./signatures.ts";
import { slashRows } from "./slash-rows.ts";
import { askIndex, type IndexFindings, inParts, type Question } from "./told.ts";

type JobState = ContractFunctionReturnType<(typeof abis)["JobRegistry"], "view", "jobOf">;
type CertificateState = ContractFunctionReturnType<
  (typeof abis)["ModelCertificate"],
  "view",
  "certificateOf"
>;

/** Everything that claims about a job are made from. */
export type JobEvidence = {
  readonly jobId: bigint;
  readonly history: ChainHistory;
  readonly stamps: Stamps;
  readonly attribution: Attribution;
  /** Events that belong to the job, in order. */
  readonly events: readonly AssayEvent[];
  /** The job as its events give it. */
  readonly record: JobRecord;
  readonly challenges: readonly AuditedChallenge[];
  /** The package that was published with the order; undefined when it was not. */
  readonly posted: Extract<AssayEvent, { eventName: "OrderPosted" }> | undefined;
  /** What an index has to tell: of the whole history, and as of the block that it was asked for. */
  readonly rows: JobRows;
  readonly rowsAsOf: JobRows;
  /** Slashes of everybody who worked on the job, here or elsewhere; and those that an index has to tell. */
  readonly slashes: readonly Row[];
  readonly slashesAsOf: readonly Row[];
  /** Events that are not the job's own, but change what is to be said of it: slashes, transfers, its order's. */
  readonly related: readonly AssayEvent[];
  readonly findings: IndexFindings;
  /** What the contracts held at the history's last block. */
  readonly state: {
    readonly job: JobState;
    readonly certificate: CertificateState | undefined;
    readonly owner: Hex | undefined;
    readonly purses: readonly [price: bigint, fees: bigint];
    /** Intervals of each member of a committee at most. */
    readonly checks: number;
  };
  readonly signatures: readonly SignatureFinding[];
};

/** A challenge. isSilent: its conviction came from silence, after the grace was over, not from a move within it. */
export type AuditedChallenge = ChallengeRecord & { readonly isSilent: boolean };

/** What a challenge is about, in words. */
export function partOf({ interval }: Pick<ChallengeRecord, "interval">): string {
  return interval === noInterval ? "the whole trace" : `interval ${interval}`;
}

export type GatherParameters = {
  readonly client: ChainClient;
  readonly contracts: Contracts;
  readonly history: ChainHistory;
  readonly attribution: Attribution;
  readonly stamps: StampReader;
  readonly index: { readonly url: string; readonly reader: IndexReader; readonly patience?: number };
  readonly signal?: AbortSignal;
};

/**
 * Gathers what is known of a job: from the chain, and from the index.
 *
 * @throws BadInputError when there is no such job; what the chain's endpoint throws
 */
export async function gatherJob(parameters: GatherParameters, jobId: bigint): Promise<JobEvidence> {
  const { client, contracts, history, attribution, index, signal } = parameters;
  const id = String(jobId);
  const events = history.events.filter((event) => attribution.subjectsOf(event).job === id);
  const record = foldJob(events.filter(isJobEvent).map(named));
  if (record === undefined) {
    throw new BadInputError(`there is no job ${jobId} on this chain`, {
      next: "Jobs are numbered from 1; `assay job list` shows yours.",
    });
  }
  const posted = history.events.find(
    (event): event is NonNullable<JobEvidence["posted"]> =>
      event.contract === "Market" &&
      event.eventName === "OrderPosted" &&
      event.args.orderHash === record.orderHash,
  );
  const transfers = history.events.filter(
    (event) =>
      event.contract === "ModelCertificate" &&
      event.eventName === "Transfer" &&
      event.args.tokenId === record.certificateId,
  );
  const involved = involvedIn(record, events, attribution);
  const slashed = history.events.filter(
    (event) =>
      event.contract === "Staking" &&
      event.eventName === "Slashed" &&
      involved.has(event.args.operator.toLowerCase()),
  );
  const own = [...(posted === undefined ? [] : [posted]), ...transfers];
  const about = [...events, ...own].sort(inChainOrder);
  const stamps = await parameters.stamps.read([...about, ...slashed]);
  const rows = jobRows(about, stamps, attribution);
  const findings = await askIndex({
    ...index,
    client,
    history,
    questions: questionsOf(id, record, {
      rows,
      events: events.length,
      involved: [...involved],
      slashes: slashed.length,
    }),
    signal,
  });
  const asOf = ({ blockNumber }: AssayEvent) => blockNumber <= findings.asOf;
  return {
    jobId,
    history,
    stamps,
    attribution,
    events,
    record,
    challenges: challengesOf(events, stamps),
    posted,
    rows,
    rowsAsOf: jobRows(about.filter(asOf), stamps, attribution),
    slashes: slashRows(slashed, stamps),
    slashesAsOf: slashRows(slashed.filter(asOf), stamps),
    related: [...own, ...slashed],
    findings,
    state: await readState(contracts, record, history.block.number),
    signatures: await signatureFindings({ client, history, stamps, record, posted, events }),
  };
}

function questionsOf(
  job: string,
  { orderHash }: JobRecord,
  known: {
    readonly rows: JobRows;
    readonly events: number;
    readonly involved: readonly string[];
    readonly slashes: number;
  },
): Question[] {
  const ofJob = { job };
  const count = (kind: keyof JobRows) => ({ kind, rows: known.rows[kind].length });
  const challenges = known.rows.challenges.map(({ id }) => id);
  return [
    { kind: "events", where: ofJob, rows: known.events },
    { ...count("jobs"), where: { id: job } },
    { ...count("orders"), where: { id: orderHash } },
    { ...count("auctions"), where: ofJob },
    { ...count("bids"), where: ofJob },
    { ...count("checkpoints"), where: ofJob },
    { ...count("payments"), where: ofJob },
    { ...count("challenges"), where: ofJob },
    { ...count("moves"), where: inParts(challenges, (part) => ({ challenge_in: part })) },
    { ...count("attestations"), where: ofJob },
    { ...count("certificates"), where: ofJob },
    {
      kind: "slashes",
      where: inParts(known.involved, (part) => ({ operator_in: part })),
      rows: known.slashes,
    },
  ];
}

/** Operators that had stake in a job: its providers, bidders, challengers, and the members of its committees. */
function involvedIn(
  { provider }: JobRecord,
  events: readonly AssayEvent[],
  attribution: Attribution,
): ReadonlySet<string> {
  const found = new Set<string>();
  if (provider !== undefined) found.add(provider.toLowerCase());
  for (const event of events) {
    if (event.contract === "Committee" && event.eventName === "CommitteeDrawn") {
      for (const member of event.args.members) {
        const operator = attribution.operatorOf(member);
        if (operator !== undefined) found.add(operator);
      }
    } else if (event.contract === "Market" || event.contract === "DisputeGame") {
      const { operator } = attribution.subjectsOf(event);
      if (operator !== undefined) found.add(operator);
    }
  }
  return found;
}

/** Disputes, each from its own events. */
export function challengesOf(events: readonly AssayEvent[], stamps: Stamps): AuditedChallenge[] {
  const byId = Map.groupBy(
    events.filter((event) => event.contract === "DisputeGame"),
    ({ args }) => (args as { challengeId?: bigint }).challengeId,
  );
  return [...byId].flatMap(([id, own]) => {
    const record =
      id === undefined
        ? undefined
        : foldChallenge(own.map((event) => named(event) as unknown as DisputeEvent));
    return record === undefined ? [] : { ...record, isSilent: isSilent(record, own, stamps) };
  });
}

/** Until the grace is over a conviction is a ruling on a move: only after it does silence count. */
function isSilent(
  { outcome, graceEnds }: ChallengeRecord,
  events: readonly AssayEvent[],
  stamps: Stamps,
): boolean {
  const ruling = events.find(({ eventName }) => eventName === "ProviderConvicted");
  if (outcome !== "convicted" || graceEnds === undefined || ruling === undefined) return false;
  return stamps.get(ruling.transactionHash)!.timestamp > graceEnds;
}

async function readState(
  { JobRegistry, ModelCertificate, Escrow, Committee }: Contracts,
  { jobId, certificateId }: JobRecord,
  blockNumber: bigint,
): Promise<JobEvidence["state"]> {
  const then = { blockNumber };
  const [job, purses, checks] = await Promise.all([
    JobRegistry.read.jobOf([jobId], then),
    Escrow.read.pursesOf([jobId], then),
    Committee.read.checks(then),
  ]);
  const id = certificateId ?? jobId;
  const certificate = await existing(() => ModelCertificate.read.certificateOf([id], then));
  const owner = await existing(() => ModelCertificate.read.ownerOf([id], then));
  return { job, certificate, owner, purses, checks: Number(checks) };
}

/** What a read gives; undefined when the contract refuses because there is no such token. */
async function existing<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (explainRevert(error) === undefined) throw error;
    return undefined;
  }
}

function isJobEvent({ contract }: AssayEvent): boolean {
  return contract === "Market" || contract === "JobRegistry" || contract === "Instalments";
}

function named({ contract, eventName, args }: AssayEvent): JobEvent {
  return { name: `${contract}.${eventName}`, args } as unknown as JobEvent;
}

/** Transactions of some events, each once. */
export function hashesOf(events: readonly AssayEvent[], ...names: string[]): Hex[] {
  return [
    ...new Set(
      events.filter(({ eventName }) => names.includes(eventName)).map((event) => event.transactionHash),
    ),
  ];
}

function inChainOrder(a: AssayEvent, b: AssayEvent): number {
  return a.blockNumber === b.blockNumber ? a.logIndex - b.logIndex : a.blockNumber < b.blockNumber ? -1 : 1;
}
