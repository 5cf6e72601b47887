import type { Address, Hex, TypedDataDefinition } from "viem";
import type { Call } from "../../../keepers/src/chain/contracts.ts";

/** What is signed or sent, in words: name and value of every part that matters. */
export type Words = readonly (readonly [name: string, value: string])[];

/** A message that the wallet signs; nothing is sent with it. */
export type SignStep = {
  readonly kind: "sign";
  readonly title: string;
  readonly words: Words;
  readonly message: () => Promise<TypedDataDefinition>;
  /** Takes the signature, for later steps. */
  readonly take: (signature: Hex, message: TypedDataDefinition) => void;
};

/** A transaction. */
export type SendStep = {
  readonly kind: "send";
  readonly title: string;
  readonly words: Words;
  readonly call: () => Promise<Call>;
};

export type Step = SignStep | SendStep;

/** Something that takes one or more signatures and transactions, one after another. */
export type Action = {
  readonly title: string;
  /** The account that it was prepared for. */
  readonly account: Address;
  readonly steps: readonly Step[];
  /** Called when all are done, with the hash of the last transaction, and whether the visitor is looking at it. */
  readonly done: (hash: Hex | undefined, isWatched: boolean) => void;
};
