import type { JobHistoryQuery } from "../../../../subgraph/queries/documents.ts";
import type { Tone } from "../../ui/tone.ts";

export type HistoryEvent = JobHistoryQuery["events"][number];

/** Parameters of an event, as the subgraph writes them: integers in decimal, bytes in hexadecimal. */
export function parametersOf<T = Record<string, unknown>>(event: HistoryEvent): T {
  return JSON.parse(event.parameters) as T;
}

export function inOrder(events: readonly HistoryEvent[]): HistoryEvent[] {
  return events.toSorted((a, b) => Number(a.block) - Number(b.block) || a.logIndex - b.logIndex);
}

/** What events say, in words; those left out are part of another. */
export const eventWords: { readonly [name: string]: readonly [words: string, tone: Tone] } = {
  "Market.OrderPosted": ["The order is published", "neutral"],
  "Market.AuctionOpened": ["An auction begins", "neutral"],
  "Market.BidCommitted": ["A sealed bid comes in", "neutral"],
  "Market.BidRevealed": ["A bid is revealed", "neutral"],
  "Market.BidAccepted": ["A bid is accepted", "neutral"],
  "Market.AuctionAwarded": ["The lowest bid wins", "neutral"],
  "Market.BondLost": ["A bidder loses its bond", "wrong"],
  "JobRegistry.JobOpened": ["The job is opened", "neutral"],
  "JobRegistry.JobMatched": ["A provider is matched", "neutral"],
  "JobRegistry.JobUnmatched": ["The provider did not lock the job", "wrong"],
  "JobRegistry.TimeoutCalled": ["Time is called: a last grace begins", "neutral"],
  "JobRegistry.JobLocked": ["The provider locks the job, and trains", "neutral"],
  "Instalments.CheckpointPosted": ["A checkpoint is committed to", "neutral"],
  "Instalments.TimeoutCalled": ["Time is called for a checkpoint: a last grace begins", "neutral"],
  "Instalments.CheckpointClosed": ["A checkpoint is closed", "neutral"],
  "JobRegistry.JobCommitted": ["The provider commits to its result", "neutral"],
  "Committee.CommitteeDrawn": ["A committee is drawn by lot", "neutral"],
  "Committee.RootSigned": ["The committee signs what it computed", "neutral"],
  "Committee.WitnessesOpened": ["The provider opens what the committee checked", "neutral"],
  "Committee.DigestsRevealed": ["What each member said is revealed", "neutral"],
  "Committee.AttemptFailed": ["The committee does not come together", "wrong"],
  "Committee.MemberSlashed": ["A member of the committee is slashed", "wrong"],
  "JobRegistry.JobAttested": ["The result is attested", "healthy"],
  "DisputeGame.Challenged": ["A challenger disputes an interval", "wrong"],
  "DisputeGame.Moved": ["The dispute is narrowed", "neutral"],
  "DisputeGame.ChallengeLost": ["The challenger loses", "healthy"],
  "DisputeGame.ProviderConvicted": ["The contracts convict the provider", "wrong"],
  "MemberGame.Accused": ["A member of the committee is accused", "wrong"],
  "MemberGame.Moved": ["The dispute over what a member signed is narrowed", "neutral"],
  "MemberGame.AccusationLost": ["The accuser of a member loses", "healthy"],
  "MemberGame.MemberConvicted": ["The contracts convict a member of the committee", "wrong"],
  "MemberGame.AccusationSettled": ["An accusation ends, and nobody has lost it", "neutral"],
  "ResultShortfalls.ShortfallCalled": [
    "Too few nodes hold the result: the provider is to store it again",
    "wrong",
  ],
  "ResultFraud.ResultFraudProven": ["What is stored is not what was committed to", "wrong"],
  "ResultShortfalls.ResultLost": ["The result was not stored again, or not published, in time", "wrong"],
  "JobRegistry.SettlementPending": ["The end of the job is reported", "neutral"],
  "JobRegistry.JobFailed": ["The job has failed", "wrong"],
  "JobRegistry.JobVoided": ["The job is void", "neutral"],
  "JobRegistry.JobCancelled": ["The order is cancelled", "neutral"],
  "JobRegistry.JobExpired": ["Nobody took the order in time", "neutral"],
  "JobRegistry.JobFinalised": ["The job is final", "healthy"],
  "ModelCertificate.CertificateIssued": ["The certificate is issued", "healthy"],
  "Escrow.Funded": ["The consumer pays in", "neutral"],
  "Escrow.PricePaid": ["The provider is paid", "healthy"],
  "Escrow.FeePaid": ["The committee is paid", "healthy"],
  "Escrow.Refunded": ["The consumer gets money back", "neutral"],
  "DisputeGame.RewardPaid": ["The challenger is rewarded", "healthy"],
};

/** A place in a committee, and what became of it. */
export type Seat = {
  readonly validator: string;
  /** agrees: with what the provider opened. differs: it signed something else. silent: it did not sign. signed: not yet opened. */
  readonly said: "agrees" | "differs" | "silent" | "signed" | "drawn";
  readonly isSlashed: boolean;
};

/** A committee that was drawn for a job. */
export type Sitting = {
  readonly attempt: string;
  readonly seats: readonly Seat[];
  readonly drawn: string;
  readonly signed: string | undefined;
};

/** Who sat on each committee of a job, in the order in which they were drawn, and what each said. */
export function sittingsOf(events: readonly HistoryEvent[]): Sitting[] {
  const own = inOrder(events).filter(({ contract }) => contract === "Committee");
  return own.flatMap((event) => {
    if (event.name !== "CommitteeDrawn") return [];
    const { attempt, members } = parametersOf<{ attempt: string; members: string[] }>(event);
    const find = (name: string) =>
      own.find((each) => each.name === name && parametersOf<{ attempt: string }>(each).attempt === attempt);
    const signed = find("RootSigned");
    const revealed = find("DigestsRevealed");
    const signers =
      signed === undefined ? undefined : BigInt(parametersOf<{ signers: string }>(signed).signers);
    const differing =
      revealed === undefined ? undefined : BigInt(parametersOf<{ differing: string }>(revealed).differing);
    const slashed = new Set(
      own
        .filter(({ name }) => name === "MemberSlashed")
        .map((each) => parametersOf<{ attempt: string; member: string }>(each))
        .filter((each) => each.attempt === attempt)
        .map(({ member }) => member),
    );
    const has = (mask: bigint, position: number) => ((mask >> BigInt(position)) & 1n) === 1n;
    const seats = members.map((validator, position): Seat => {
      const said =
        signers === undefined
          ? "drawn"
          : !has(signers, position)
            ? "silent"
            : differing === undefined
              ? "signed"
              : has(differing, position)
                ? "differs"
                : "agrees";
      return { validator, said, isSlashed: slashed.has(validator) };
    });
    return [{ attempt, seats, drawn: event.transaction, signed: signed?.transaction }];
  });
}

/** The last event that says how a provider's bid stands. */
export function lastBidEvent(events: readonly HistoryEvent[], provider: string): HistoryEvent | undefined {
  return inOrder(events).findLast(
    (event) =>
      event.contract === "Market" &&
      parametersOf<{ provider?: string }>(event).provider?.toLowerCase() === provider.toLowerCase(),
  );
}

/** The event by which a checkpoint was posted, or closed. */
export function checkpointEvent(
  events: readonly HistoryEvent[],
  name: "CheckpointPosted" | "CheckpointClosed",
  number: number,
): HistoryEvent | undefined {
  return events.find(
    (event) =>
      event.contract === "Instalments" &&
      event.name === name &&
      Number(parametersOf<{ number: string }>(event).number) === number,
  );
}
