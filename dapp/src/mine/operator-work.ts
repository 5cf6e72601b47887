import type { OperatorWorkQuery, OperatorWorkQueryVariables } from "../../../subgraph/queries/documents.ts";

type Operator = NonNullable<OperatorWorkQuery["operator"]>;

/** A storage audit that an operator answered or missed; a proof that covered several bundles names none. */
export type PastAudit = OperatorWorkQuery["audits"][number];
export type PaidOut = OperatorWorkQuery["payments"][number];
export type HeldBundle = Operator["bundles"][number];
export type LostStake = Operator["slashes"][number];

/** What is asked of an account's work: the same account, as each of the three filters wants it. */
export function workOf({
  account,
  ...rest
}: {
  account: string;
  audits: number;
  payments: number;
}): OperatorWorkQueryVariables {
  const id = account.toLowerCase();
  return { operator: id, of: id, to: id, ...rest };
}
