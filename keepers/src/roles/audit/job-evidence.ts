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
import { askIndex, type IndexFindings, type Question } from "./told.ts";

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
  readonly challenges: readonly ChallengeRecord[];
  /** The package that was published with the order; undefined when it was not. */
  readonly posted: Extract<AssayEvent, { eventName: "OrderPosted" }> | undefined;
  /** What an index has to tell: of the whole history, and as of the block that it was asked for. */
  readonly rows: JobRows;
  readonly rowsAsOf: JobRows;
  /** Slashes of everybody who worked on the job, as an index has to tell them as of that block. */
  readonly slashes: readonly Row[];
  readonly findings: IndexFindings;
  /** What the contracts hold now. */
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

/** Whether a conviction came from silence: a timeout was called, and no move followed. */
export function isSilent({ outcome, graceEnds }: ChallengeRecord): boolean {
  return outcome === "convicted" && graceEnds !== undefined;
}

/** What a challenge is about, in words. */
export function partOf({ interval }: ChallengeRecord): string {
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
  const about = [...(posted === undefined ? [] : [posted]), ...events, ...transfers].sort(inChainOrder);
  const stamps = await parameters.stamps.read([...about, ...slashed]);
  const rows = jobRows(about, stamps, attribution);
  const findings = await askIndex({
    ...index,
    client,
    history,
    questions: questionsOf(id, record, rows, [...involved]),
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
    challenges: challengesOf(events),
    posted,
    rows,
    rowsAsOf: jobRows(about.filter(asOf), stamps, attribution),
    slashes: slashRows(slashed.filter(asOf), stamps),
    findings,
    state: await readState(contracts, record),
    signatures: await signatureFindings({ client, history, stamps, record, posted, events }),
  };
}

function questionsOf(
  job: string,
  { orderHash }: JobRecord,
  { challenges }: JobRows,
  involved: readonly string[],
): Question[] {
  const ofJob = { job };
  return [
    { kind: "events", where: ofJob },
    { kind: "jobs", where: { id: job } },
    { kind: "orders", where: { id: orderHash } },
    { kind: "bids", where: ofJob },
    { kind: "checkpoints", where: ofJob },
    { kind: "payments", where: ofJob },
    { kind: "challenges", where: ofJob },
    { kind: "moves", where: { challenge_in: challenges.map(({ id }) => id) } },
    { kind: "attestations", where: ofJob },
    { kind: "certificates", where: ofJob },
    { kind: "slashes", where: { operator_in: involved } },
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

function challengesOf(events: readonly AssayEvent[]): ChallengeRecord[] {
  const byId = Map.groupBy(
    events.filter((event) => event.contract === "DisputeGame"),
    ({ args }) => (args as { challengeId?: bigint }).challengeId,
  );
  return [...byId].flatMap(([id, own]) =>
    id === undefined
      ? []
      : (foldChallenge(own.map((event) => named(event) as unknown as DisputeEvent)) ?? []),
  );
}

async function readState(
  { JobRegistry, ModelCertificate, Escrow, Committee }: Contracts,
  { jobId, certificateId }: JobRecord,
): Promise<JobEvidence["state"]> {
  const [job, purses, checks] = await Promise.all([
    JobRegistry.read.jobOf([jobId]),
    Escrow.read.pursesOf([jobId]),
    Committee.read.checks(),
  ]);
  const id = certificateId ?? jobId;
  const certificate = await existing(() => ModelCertificate.read.certificateOf([id]));
  const owner = await existing(() => ModelCertificate.read.ownerOf([id]));
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

function inChainOrder(a: AssayEvent, b: AssayEvent): number {
  return a.blockNumber === b.blockNumber ? a.logIndex - b.logIndex : a.blockNumber < b.blockNumber ? -1 : 1;
}
