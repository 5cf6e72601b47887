import { useContracts } from "../data/use-contracts.ts";
import { useNetwork } from "../network/context.ts";
import { Badge, Notice } from "../ui/badge.tsx";
import { Card } from "../ui/card.tsx";
import { EmptyState } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { Account, Transaction } from "../ui/values.tsx";
import { OnRequest } from "./on-request.tsx";
import type { CheckedProofs, DatasetToCheck } from "./proofs.ts";
import { useRun } from "./use-run.ts";

/** The proofs of a dataset's holders, verified in the visitor's own browser. */
export default function CheckProofs({ dataset }: { dataset: DatasetToCheck }) {
  const { gateway, deployment } = useNetwork();
  const reading = useContracts();
  const { run, start, cancel } = useRun<CheckedProofs>();
  const begin = () =>
    start(async (options) => {
      const { checkProofs } = await import("./proofs.ts");
      return await checkProofs({ ...reading, deployment }, gateway!, dataset, options);
    });
  return (
    <Card title="Verify here">
      <p>
        Your browser takes the newest proof of each holder out of its transaction, computes what it had to
        prove, the cells that the epoch drew for one, and verifies it (Groth16) under the key that the
        contracts hold.
      </p>
      <OnRequest
        {...{ run, begin, cancel }}
        missing={
          gateway === undefined
            ? "This network names no gateway, from which the manifest could be read."
            : undefined
        }
        button="Verify its proofs"
        failed="The proofs could not be checked"
      >
        {(checked) => <Checked {...checked} />}
      </OnRequest>
    </Card>
  );
}

function Checked({ proofs, unread, unanswered }: CheckedProofs) {
  const wrong = proofs.filter(({ holds }) => !holds).length;
  const overdue = unanswered.filter((each) => each.overdue);
  const early = unanswered.filter((each) => !each.overdue);
  const named = (list: readonly { readonly bundleIndex: number }[]) =>
    list.map(({ bundleIndex }) => bundleIndex).join(", ");
  return (
    <>
      {wrong > 0 ? (
        <Notice tone="wrong" title={`${wrong} of ${proofs.length} proofs do not hold`}>
          The contract takes no such proof: what the endpoint gave is not what is on the chain. Ask another
          one.
        </Notice>
      ) : proofs.length > 0 ? (
        <Notice
          tone="healthy"
          title={proofs.length === 1 ? "The proof holds" : `All ${proofs.length} proofs hold`}
        >
          Verified in your browser: their holders had the cells that were drawn.
        </Notice>
      ) : (
        <EmptyState title="No holder has answered an audit in the last epochs." />
      )}
      {proofs.length > 0 && (
        <Table
          caption="Proofs of possession"
          rows={proofs}
          keyOf={({ transaction, bundles }) => `${transaction}${bundles}`}
          columns={[
            { head: "Bundles", cell: ({ bundles }) => bundles.join(", ") },
            { head: "Holder", cell: ({ operator }) => <Account address={operator} /> },
            { head: "Epoch", isNumber: true, cell: ({ epoch }) => epoch },
            { head: "Proves", cell: ({ isCover }) => (isCover ? "all that it holds" : "the bundle") },
            {
              head: "Verified here",
              cell: ({ holds, transaction }) => (
                <Transaction hash={transaction}>
                  <Badge tone={holds ? "healthy" : "wrong"}>{holds ? "Holds" : "Does not hold"}</Badge>
                </Transaction>
              ),
            },
          ]}
        />
      )}
      {unread.map(({ bundleIndex, reason }) => (
        <Notice
          key={bundleIndex}
          tone="waiting"
          title={`The proof of bundle ${bundleIndex} could not be read`}
        >
          {reason}
        </Notice>
      ))}
      {overdue.length > 0 && (
        <Notice tone="wrong" title={`No answer from the holders of: ${named(overdue)}`}>
          They were due in the last epochs.
        </Notice>
      )}
      {early.length > 0 && <p>Not asked yet, for their holders are new: {named(early)}.</p>}
    </>
  );
}
