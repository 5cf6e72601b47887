/** What the contracts say of a job that has not ended. */
export type Standing = {
  /** Last second of the phase: to lock by, or to commit by. */
  readonly deadline: bigint;
  /** Last second of the grace after it, or after the time for disputes; 0 as long as nobody has called time. */
  readonly graceEnds: bigint;
  readonly expiry: bigint;
  /** Last second in which a challenge is taken; only a bound while a committee works. */
  readonly challengeUntil: bigint;
  /** What the committee makes of it; none where none was asked. */
  readonly verdict: "none" | "pending" | "attested" | "silent";
  /** Seconds that a committee which does not decide can hold the job up. */
  readonly mostPending: bigint;
  /** Disputes that are being played over the result. */
  readonly disputes: number;
};

/** An auction over a job. */
export type Auctioned = {
  readonly commitUntil: bigint;
  readonly revealUntil: bigint;
  readonly isClosed: boolean;
};

/** What came in of bids, and how many of them are sealed still. */
export type BidCount = { readonly made: number; readonly hidden: number };

/** What is going on with a job. `until`: when that ends, where its end is known. */
export type Phase = { readonly what: string; readonly until?: bigint; readonly next: string };

type Facts = {
  readonly status: string;
  readonly standing: Standing;
  readonly auction: Auctioned | null;
  readonly bids: BidCount;
  /** The chain's clock. */
  readonly now: bigint;
};

/** The phase that a job is in; nothing when it has ended. */
export function phaseOf(facts: Facts): Phase | undefined {
  const { status, standing, now } = facts;
  switch (status) {
    case "Open":
      return openPhase(facts);
    case "Matched":
      return now <= standing.deadline
        ? {
            what: "The provider has to lock the job",
            until: standing.deadline,
            next: "It begins to train when it has.",
          }
        : (gracePhase("The provider did not lock the job in time", standing, now) ?? {
            what: "The provider did not lock the job in time",
            next:
              now <= standing.expiry
                ? "It may be put off the job now; then others can have it."
                : "Anyone may end the order on the chain; then the money is back.",
          });
    case "Training":
      return now <= standing.deadline
        ? {
            what: "The provider trains",
            until: standing.deadline,
            next: "If it is late it pays, and the money is back.",
          }
        : (gracePhase("The provider is late", standing, now) ?? {
            what: "The provider is late",
            next: "Anyone may end the job on the chain; then it pays, and the money is back.",
          });
    case "Committed":
    case "Attested":
      return checkedPhase(status, standing, now);
    default:
      return undefined;
  }
}

/** What is left of a time that is over: nothing is decided before somebody has called time, and the grace has passed. */
function gracePhase(what: string, { graceEnds }: Standing, now: bigint): Phase | undefined {
  if (graceEnds === 0n) return { what, next: "Anyone may call time on the chain; then a last grace begins." };
  return now <= graceEnds ? { what, until: graceEnds, next: "Until then it may still be done." } : undefined;
}

function openPhase({ standing: { expiry }, auction, bids, now }: Facts): Phase {
  const inVain = "Anyone may end it on the chain; then the money is back.";
  if (now > expiry) return { what: "Nobody took the order in time", next: inVain };
  return auction === null || auction.isClosed
    ? { what: "Waiting for a provider", until: expiry, next: "Then the money is back." }
    : (auctionPhase(auction, bids, now) ?? { what: "Nobody has bid that can be taken", next: inVain });
}

/** The phase of an auction whose order can still be taken; none where it can come to nothing any more. */
function auctionPhase(
  { commitUntil, revealUntil }: Auctioned,
  { made, hidden }: BidCount,
  now: bigint,
): Phase | undefined {
  const came = made === 1 ? "One bid has come in." : `${made} bids have come in.`;
  if (now <= commitUntil) return { what: "Sealed bids are taken", until: commitUntil, next: came };
  if (made === 0) return undefined;
  const open = made - hidden;
  const opened = `${came} ${open === 1 ? "One is" : `${open} are`} open.`;
  if (now <= revealUntil)
    return { what: "Bids are opened", until: revealUntil, next: `${opened} Then the lowest wins.` };
  if (hidden > 0) {
    return {
      what: "Sealed bids are late",
      next: `${opened} Anyone may call time on the chain; a little later ${open === 0 ? "the money is back" : "the lowest of the open ones wins"}.`,
    };
  }
  return {
    what: "The bids are open",
    next: `${came} The lowest wins as soon as anyone says so on the chain.`,
  };
}

function checkedPhase(status: string, standing: Standing, now: bigint): Phase {
  const { challengeUntil, verdict, mostPending, disputes } = standing;
  if (disputes > 0) {
    return {
      what: disputes === 1 ? "A dispute is being played" : `${disputes} disputes are being played`,
      next: "Nobody is paid before it is decided. Whoever does not answer in time loses.",
    };
  }
  if (status === "Committed" && verdict === "pending" && now <= challengeUntil) {
    return {
      what: "A committee checks the result",
      until: challengeUntil,
      next: "At the latest then it goes on without a committee. Anyone may dispute the result meanwhile; when the committee attests, the time for that grows much shorter.",
    };
  }
  // A committee that was drawn in vain as often as may be holds nothing up any longer.
  const until =
    status === "Committed" && verdict === "silent" ? challengeUntil - mostPending : challengeUntil;
  const silent = verdict === "silent" ? "The committee did not come together. " : "";
  return now <= until
    ? {
        what: "Anyone may dispute the result",
        until,
        next: `${silent}Then the provider is paid, and the certificate issued.`,
      }
    : (gracePhase("The time for disputes is over", standing, now) ?? {
        what: "The time for disputes is over",
        next: `${silent}Anyone may end the job on the chain; then the provider is paid, and the certificate issued.`,
      });
}
