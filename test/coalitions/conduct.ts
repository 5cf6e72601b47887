import type { Party } from "./cast.ts";

/** How a provider behaves; honest ones leave all of it out. */
export type ProviderConduct = {
  /** What it asks for, in hundredths of the deposit. */
  readonly asks?: number;
  readonly hidesBid?: boolean;
  readonly neverLocks?: boolean;
  readonly neverCommits?: boolean;
  /** Number of the wrong run that it commits to. */
  readonly lie?: number;
  readonly withholdsLeaves?: boolean;
  /** Stores other bytes than those of its last state. */
  readonly storesGarbage?: boolean;
  /** Moves of disputes after which it is silent, by the interval that is challenged. */
  readonly silentFrom?: readonly number[];
  /** Does not open what its committee has checked. */
  readonly withholdsWitnesses?: boolean;
  /** Leaves a worker out of what it shows. */
  readonly forgetsWorker?: boolean;
  /** Shows what its workers had earned before they had done all. */
  readonly showsOlder?: boolean;
};

/** How a worker behaves. */
export type WorkerConduct = {
  /** Comes again for what it has had. */
  readonly claimsAgain?: boolean;
  /** Demands what it is shown anyway. */
  readonly demandsFirst?: boolean;
};

/** How a member of committees behaves. */
export type MemberConduct = {
  /** Computes nothing, and says what the provider would have it say. */
  readonly echoes?: boolean;
  readonly isSilent?: boolean;
};

/** How a storage node behaves. */
export type NodeConduct = {
  /** Forgets the bytes of what it signs for. */
  readonly forgets?: boolean;
  readonly refusesCells?: boolean;
};

/** When something is done: a while after an event, after its first or a later occurrence. */
export type Trigger = { readonly event: string; readonly nth: number; readonly delay: number };

/** Datasets of a walk. */
export type DatasetName = "trained" | "archive" | "result";

/** Something that a coalition does once. */
export type Trick = { readonly when: Trigger; readonly by: Party } & TrickKind;

export type TrickKind =
  | { readonly kind: "surrender"; readonly dataset: DatasetName }
  | { readonly kind: "challenge"; readonly interval: number }
  | { readonly kind: "accuse"; readonly position: number; readonly number: number }
  | { readonly kind: "retrieve"; readonly dataset: DatasetName; readonly index: number }
  | { readonly kind: "squat"; readonly dataset: DatasetName; readonly index: number }
  | { readonly kind: "extend"; readonly dataset: DatasetName; readonly epochs: number }
  | { readonly kind: "halt"; readonly seconds: number }
  | { readonly kind: "censor"; readonly party: Party; readonly seconds: number }
  | { readonly kind: "pause"; readonly contract: "Staking" | "Market" | "JobRegistry" }
  | { readonly kind: "slash"; readonly victim: Party }
  | { readonly kind: "unbond" }
  | { readonly kind: "turnover"; readonly times: number }
  | { readonly kind: "cover" }
  | { readonly kind: "dilute" };

/** All that a walk is made of; of a random one it follows from the seed. */
export type Plan = {
  readonly seed: string;
  readonly coalition: readonly Party[];
  readonly sale: "direct" | "auction" | "none";
  readonly hasCommittee: boolean;
  readonly hasArchive: boolean;
  /** Equal parts in which the price is paid; 1: at the end. */
  readonly instalments: number;
  /** Whether a second provider bids. */
  readonly hasRival: boolean;
  readonly providers: Readonly<Partial<Record<Party, ProviderConduct>>>;
  readonly members: Readonly<Partial<Record<Party, MemberConduct>>>;
  readonly nodes: Readonly<Partial<Record<Party, NodeConduct>>>;
  /** Whether two work for whoever trains. */
  readonly hasCrew: boolean;
  readonly workers: Readonly<Partial<Record<Party, WorkerConduct>>>;
  /** Whether the owner anchors its training data on other terms than it told its holders. */
  readonly swapsTerms: boolean;
  /** Whether the consumer has an order matched that it has shown to nobody. */
  readonly hidesOrder: boolean;
  readonly tricks: readonly Trick[];
};
