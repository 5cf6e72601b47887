import type { AssayEvent } from "../../chain/contracts.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import { noInterval } from "../../training/dispute/moves.ts";
import { type AuditedAttempt, auditAttempts } from "./attestation.ts";
import type { JobEvidence } from "./job-evidence.ts";
import type {
  LineagePicture,
  MoneyPicture,
  NarrowingPicture,
  Picture,
  SeatsPicture,
  TimelinePicture,
  Tone,
} from "./pictures/types.ts";
import { shortAccount as account, coins, tokens } from "./wording.ts";

/** Pictures of a job, from its events on chain. */
export function jobPictures(evidence: JobEvidence): Picture[] {
  return [
    lineage(evidence),
    timeline(evidence),
    ...auditAttempts(evidence).map((attempt) => seats(evidence, attempt)),
    ...evidence.challenges
      .filter(({ interval }) => interval !== noInterval)
      .map((challenge) => narrowing(evidence, challenge)),
    ...money(evidence),
  ];
}

function lineage({ record, rows, state }: JobEvidence): LineagePicture {
  const { order, provider, price, result } = record;
  const status = String(rows.jobs[0]!.status);
  const tone: Tone = status === "Finalised" ? "good" : status === "Failed" ? "bad" : "plain";
  const { steps } = decodeOrder(record.training);
  const isDone = result !== undefined;
  return {
    kind: "lineage",
    topic: "order",
    title: "Where the model comes from",
    description: `Dataset ${order.problem.datasetId} and order ${record.orderHash} lead to job ${record.jobId}, which ${isDone ? `led to the stored result ${result.resultId}` : "led to no result"}.`,
    nodes: [
      { id: "dataset", column: 0, label: "Dataset", detail: account(order.problem.datasetId), tone: "plain" },
      { id: "consumer", column: 0, label: "Consumer", detail: account(record.consumer), tone: "plain" },
      {
        id: "order",
        column: 1,
        label: `Order: ${steps} steps`,
        detail: account(record.orderHash),
        tone: "plain",
      },
      {
        id: "job",
        column: 2,
        label: `Job ${record.jobId}: ${status.toLowerCase()}`,
        detail: provider === undefined ? "nobody's" : `${account(provider)}, ${tokens(price ?? 0n)}`,
        tone,
      },
      {
        id: "model",
        column: 3,
        label:
          state.certificate === undefined
            ? isDone
              ? "Result, not certified"
              : "No result"
            : "Certified model",
        detail: isDone ? account(result.resultId) : "",
        tone: isDone ? tone : "muted",
      },
    ],
    arrows: [
      { from: "dataset", to: "order" },
      { from: "consumer", to: "order" },
      { from: "order", to: "job" },
      { from: "job", to: "model" },
    ],
  };
}

/** What events say in a life, and how good that is; those left out come many at a time. */
const moments: Readonly<Record<string, readonly [label: string, tone: Tone]>> = {
  "Market.OrderPosted": ["The order is published", "plain"],
  "Market.AuctionOpened": ["An auction begins", "muted"],
  "Market.BidCommitted": ["A sealed bid comes in", "muted"],
  "Market.BidRevealed": ["A bid is revealed", "muted"],
  "Market.AuctionAwarded": ["The lowest bid wins", "plain"],
  "JobRegistry.JobOpened": ["The job is opened", "plain"],
  "JobRegistry.JobMatched": ["A provider is matched", "plain"],
  "JobRegistry.JobLocked": ["The provider locks the job", "plain"],
  "Instalments.CheckpointPosted": ["An instalment is asked for", "muted"],
  "JobRegistry.JobCommitted": ["The provider commits to its result", "plain"],
  "Committee.CommitteeDrawn": ["A committee is drawn by lot", "plain"],
  "Committee.RootSigned": ["The committee signs what it computed", "plain"],
  "Committee.DigestsRevealed": ["What each member said is revealed", "muted"],
  "Committee.AttemptFailed": ["The committee does not come together", "bad"],
  "Committee.MemberSlashed": ["A member of the committee is slashed", "bad"],
  "JobRegistry.JobAttested": ["The result is attested", "good"],
  "DisputeGame.Challenged": ["A challenger disputes an interval", "bad"],
  "DisputeGame.ChallengeLost": ["The challenger loses", "good"],
  "DisputeGame.ProviderConvicted": ["The provider is convicted by the contracts", "bad"],
  "ResultShortfalls.ShortfallCalled": ["Too few hold the result", "bad"],
  "ResultFraud.ResultFraudProven": ["Something else is stored", "bad"],
  "ResultShortfalls.ResultLost": ["The result is lost", "bad"],
  "JobRegistry.SettlementPending": ["The end of the job is reported", "muted"],
  "JobRegistry.JobFailed": ["The job has failed", "bad"],
  "JobRegistry.JobVoided": ["The job is void", "bad"],
  "JobRegistry.JobFinalised": ["The job is final", "good"],
  "ModelCertificate.CertificateIssued": ["The certificate is issued", "good"],
  "Escrow.PricePaid": ["The provider is paid", "good"],
  "Escrow.Refunded": ["The consumer is refunded", "plain"],
  "DisputeGame.RewardPaid": ["The challenger is rewarded", "good"],
};

/** More would not fit on a page. */
const mostMoments = 40;

/** What many can do many times: it makes room for the life cycle itself, and makes muted moments make room for it. */
const often: ReadonlySet<string> = new Set([
  "JobRegistry.JobMatched",
  "Market.AuctionAwarded",
  "Committee.CommitteeDrawn",
  "Committee.RootSigned",
  "Committee.AttemptFailed",
  "Committee.MemberSlashed",
  "DisputeGame.Challenged",
  "DisputeGame.ChallengeLost",
]);

/** The moments that say most, in the order in which they happened: of what says as little, the last ones are kept. */
export function chosen<T extends { readonly name: string; readonly tone: Tone }>(moments: readonly T[]): T[] {
  const rank = ({ name, tone }: T) => (tone === "muted" ? 2 : often.has(name) ? 1 : 0);
  const kept = new Set<T>();
  for (const wanted of [0, 1, 2]) {
    const own = moments.filter((moment) => rank(moment) === wanted);
    const room = mostMoments - kept.size;
    for (const moment of own.slice(Math.max(0, own.length - room))) kept.add(moment);
  }
  return moments.filter((moment) => kept.has(moment));
}

function timeline({ events, posted, stamps, record }: JobEvidence): TimelinePicture {
  const all: readonly AssayEvent[] = posted === undefined ? events : [posted, ...events];
  const known = all.flatMap(({ contract, eventName, transactionHash }) => {
    const name = `${contract}.${eventName}`;
    const words = moments[name];
    if (words === undefined) return [];
    const [label, tone] = words;
    return { name, at: stamps.get(transactionHash)!.timestamp, label, tone, transaction: transactionHash };
  });
  const shown = chosen(known).map(({ name: _, ...moment }) => moment);
  const most = shown.length < known.length ? `, the ${shown.length} of ${known.length} that say most` : "";
  return {
    kind: "timeline",
    topic: "work",
    title: `What happened, transaction by transaction${most}`,
    description: `${shown.length} moments in the life of job ${record.jobId}, from "${shown[0]?.label}" to "${shown.at(-1)?.label}".`,
    moments: shown,
  };
}

function seats({ record }: JobEvidence, { attempt, seats: all }: AuditedAttempt): SeatsPicture {
  const { threshold } = record.order.conditions;
  return {
    kind: "seats",
    topic: "attestation",
    title: `Who sat on committee ${attempt}: ${threshold} of ${all.length} must agree`,
    description: all
      .map(({ operator, said }) => `${operator}: ${said === "signed" ? "signed, not opened" : said}`)
      .join("; "),
    threshold,
    seats: all.map(({ operator, intervals, said }) => ({
      label: operator === undefined ? "unknown" : account(operator),
      detail: `interval ${intervals.join(", ")}`,
      said,
    })),
  };
}

type Challenge = JobEvidence["challenges"][number];

function narrowing({ rows }: JobEvidence, challenge: Challenge): NarrowingPicture {
  const { challengeId, claim, interval, outcome, moves, round, isSilent } = challenge;
  const row = rows.challenges.find(({ id }) => id === String(challengeId))!;
  const [steps, size] = [Number(claim.steps), Number(claim.interval)];
  const intervals = Math.ceil(steps / size);
  const nodes = claim.nodeCounts.reduce((sum, count) => sum + Number(count), 0);
  const [step, place, index] = [row.firstStep, row.place, row.index].map(Number) as [number, number, number];
  const inInterval = step - Number(interval) * size;
  const elements = Math.max(index + 1, Number(round?.position.leaves ?? 0n));
  const part = (at: number, of: number) => ({ from: Math.min(1, at / of), width: 1 / of });
  const levels = [
    { label: `interval ${interval} of ${intervals}`, ...part(Number(interval), intervals) },
    { label: `step ${step}, one of ${size}`, ...part(inInterval, size) },
    { label: `tensor ${place} of the step`, ...part(place, Math.max(nodes, place + 1)) },
    { label: `element ${index} of the tensor`, ...part(index, elements) },
  ];
  const isConvicted = outcome === "convicted";
  const label = isSilent
    ? "The provider did not answer in time."
    : isConvicted
      ? "The contracts computed this element themselves: the provider was wrong."
      : outcome === "lost"
        ? "The challenger did not show that anything was wrong."
        : "It was not decided.";
  return {
    kind: "narrowing",
    topic: "disputes",
    title: `A dispute, narrowed from a whole training to one number in ${moves} moves`,
    description: `${levels.map((level) => level.label).join(", then ")}. ${label}`,
    levels,
    verdict: { label, tone: isConvicted ? "bad" : "muted" },
  };
}

const flowWords: Readonly<Record<string, readonly [from: string, label: string, tone: Tone]>> = {
  Price: ["escrow", "price of the training, to its provider", "good"],
  CheckFee: ["escrow", "fee for checking intervals", "good"],
  Refund: ["escrow", "back to the consumer", "plain"],
  WorkerPay: ["worker rewards", "pay of a worker", "good"],
  ChallengeReward: ["bonds", "reward for a conviction, in the chain's coin", "good"],
};

function money({ rows, slashes, events, record, history }: JobEvidence): MoneyPicture[] {
  const own = new Set<string>(events.map(({ transactionHash }) => transactionHash));
  const { deployment } = history;
  const nameOf = new Map(
    Object.entries(deployment.addresses).map(([name, address]) => [address.toLowerCase(), name]),
  );
  const funded = events.flatMap((event) =>
    event.contract === "Escrow" && event.eventName === "Funded"
      ? {
          from: account(event.args.from),
          to: "escrow",
          units: event.args.price + event.args.fees,
          unit: "tokens",
          label: "price and fees, put in for the job",
          tone: "plain" as Tone,
        }
      : [],
  );
  const paid = [...Map.groupBy(rows.payments, ({ kind, to }) => `${kind} ${to}`).values()].map((group) => {
    const { kind, to } = group[0]!;
    const [from, label, tone] = flowWords[String(kind)]!;
    const units = group.reduce((sum, { amount }) => sum + BigInt(String(amount)), 0n);
    return {
      from,
      to: account(String(to)),
      units,
      unit: kind === "ChallengeReward" ? "coins" : "tokens",
      label,
      tone,
    };
  });
  const lost = slashes
    .filter(({ transaction }) => own.has(String(transaction)))
    .map(({ operator, beneficiary, amount, burnt, reason, module }) => ({
      from: account(String(operator)),
      to:
        BigInt(String(burnt)) === BigInt(String(amount)) ? "burnt" : `burnt, ${account(String(beneficiary))}`,
      units: BigInt(String(amount)),
      unit: "tokens",
      label: `stake taken by ${nameOf.get(String(module)) ?? "a contract"}: ${reason}`,
      tone: "bad" as Tone,
    }));
  const flows = [...funded, ...paid, ...lost];
  if (flows.length === 0) return [];
  const largest = (unit: string) =>
    flows.reduce((most, flow) => (flow.unit === unit && flow.units > most ? flow.units : most), 1n);
  return [
    {
      kind: "money",
      topic: "money",
      title: `Where the money of job ${record.jobId} went`,
      description: flows.map(({ from, to, label }) => `${from} to ${to}: ${label}`).join("; "),
      flows: flows.map(({ units, unit, ...flow }) => ({
        ...flow,
        amount: unit === "coins" ? coins(units) : tokens(units),
        share: Number((units * 1_000n) / largest(unit)) / 1_000,
      })),
    },
  ];
}
