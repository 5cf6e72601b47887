import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { parse } from "graphql/language/parser.js";

/** A storage audit that an operator answered or missed. */
export type PastAudit = {
  readonly id: string;
  readonly epoch: string;
  readonly isAnswered: boolean;
  readonly timestamp: string;
  readonly transaction: string;
  /** None for a proof that covered several bundles. */
  readonly bundle: HeldBundle | null;
};

export type HeldBundle = {
  readonly id: string;
  readonly index: number;
  readonly dataset: { readonly id: string };
};

export type PaidOut = {
  readonly id: string;
  readonly kind: string;
  readonly amount: string;
  readonly timestamp: string;
  readonly transaction: string;
  readonly job: { readonly id: string } | null;
  readonly dataset: { readonly id: string } | null;
  readonly bundle: HeldBundle | null;
};

export type LostStake = {
  readonly id: string;
  readonly module: string;
  readonly amount: string;
  readonly reason: string;
  readonly timestamp: string;
  readonly transaction: string;
};

export type OperatorWork = {
  readonly operator: {
    readonly id: string;
    readonly earned: string;
    readonly slashed: string;
    readonly auditsAnswered: number;
    readonly auditsMissed: number;
    readonly bundles: readonly HeldBundle[];
    readonly slashes: readonly LostStake[];
  } | null;
  readonly audits: readonly PastAudit[];
  readonly payments: readonly PaidOut[];
};

export type OperatorWorkVariables = {
  readonly account: string;
  readonly audits: number;
  readonly payments: number;
};

/** What an account holds, has proved and missed, was paid and has lost, the newest first. */
export const OperatorWorkDocument = parse(
  `query OperatorWork($account: ID!, $of: String!, $to: Bytes!, $audits: Int!, $payments: Int!) {
  operator(id: $account) {
    id
    earned
    slashed
    auditsAnswered
    auditsMissed
    bundles(orderBy: placedAt, orderDirection: desc, first: 1000) {
      id
      index
      dataset {
        id
      }
    }
    slashes(orderBy: timestamp, orderDirection: desc, first: 1000) {
      id
      module
      amount
      reason
      timestamp
      transaction
    }
  }
  audits(where: { operator: $of }, orderBy: timestamp, orderDirection: desc, first: $audits) {
    id
    epoch
    isAnswered
    timestamp
    transaction
    bundle {
      id
      index
      dataset {
        id
      }
    }
  }
  payments(where: { to: $to }, orderBy: timestamp, orderDirection: desc, first: $payments) {
    id
    kind
    amount
    timestamp
    transaction
    job {
      id
    }
    dataset {
      id
    }
    bundle {
      id
      index
      dataset {
        id
      }
    }
  }
}`,
  { noLocation: true },
) as TypedDocumentNode<OperatorWork, OperatorWorkVariables & { readonly of: string; readonly to: string }>;

/** The same account, as each of the three filters wants it. */
export function workOf({ account, audits, payments }: OperatorWorkVariables) {
  const id = account.toLowerCase();
  return { account: id, of: id, to: id, audits, payments };
}
