import type { Action } from "../act/steps.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { EmptyState } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { Amount } from "../ui/values.tsx";
import type { AccountState } from "./read-operator.ts";
import { type ActionParts, fetchAction } from "./stake-actions.ts";

/** What the contracts owe the account, and have until it is fetched. */
export function Credits({
  state,
  parts,
  onAction,
}: {
  state: AccountState;
  parts: ActionParts;
  onAction: (action: Action) => void;
}) {
  const owed = state.credits.filter(({ amount }) => amount > 0n);
  return (
    <Card title="To fetch">
      {owed.length === 0 ? (
        <EmptyState title="The contracts owe this account nothing now.">
          Earnings, refunds and bonds wait here until they are fetched; a keeper fetches its own.
        </EmptyState>
      ) : (
        <Table
          caption="What is owed"
          rows={owed}
          keyOf={({ purse }) => purse.contract}
          columns={[
            { head: "What for", cell: ({ purse }) => purse.what },
            {
              head: "Amount",
              isNumber: true,
              cell: ({ purse, amount }) => <Amount units={amount} unit={purse.unit} />,
            },
            {
              head: "",
              cell: ({ purse, amount }) => (
                <Button onClick={() => onAction(fetchAction(parts, purse, amount))}>Fetch</Button>
              ),
            },
          ]}
        />
      )}
    </Card>
  );
}
