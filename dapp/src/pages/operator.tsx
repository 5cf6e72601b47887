import { useQuery } from "@tanstack/react-query";
import type { Address, Hex } from "viem";
import { OperatorRecordDocument } from "../../../subgraph/queries/documents.ts";
import { Answered } from "../data/answered.tsx";
import { timesUsual } from "../data/multiplier.ts";
import { peerIdText } from "../data/peer-id.ts";
import { QueryLink } from "../data/query-link.tsx";
import { useAnswer } from "../data/use-answer.ts";
import { useContracts } from "../data/use-contracts.ts";
import { percent, rolesOf, slashReason } from "../data/words.ts";
import { useNetwork } from "../network/context.ts";
import { Badge } from "../ui/badge.tsx";
import { Card, Columns, PageHead } from "../ui/card.tsx";
import { Fact, Facts, Stat, Stats } from "../ui/stat.tsx";
import { EmptyState } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { Amount, Id, In, inTokens, Time, Transaction } from "../ui/values.tsx";
import { Whole } from "../ui/whole.tsx";
import { OperatorBundles, OperatorJobs } from "./parts/operator-lists.tsx";
import { Ordered } from "./parts/ordered.tsx";
import { countOf } from "./parts/page-of-list.ts";

/** An operator's record: stake, audits, jobs, slashes, earnings. */
export default function Operator({ id }: { id: string }) {
  const { deployment } = useNetwork();
  const variables = { operator: id.toLowerCase() };
  const answer = useAnswer(OperatorRecordDocument, variables);
  const contractAt = (address: string) =>
    Object.entries(deployment.addresses).find(([, each]) => each?.toLowerCase() === address)?.[0] ?? address;
  return (
    <Answered answer={answer} what="The operator could not be read">
      {({ operator }) => {
        if (operator === null) {
          return (
            <>
              <PageHead kind="Account" title={<Id hex={id} />}>
                <span>It is no operator.</span>
              </PageHead>
              <Card title="Account">
                <Whole text={id} />
              </Card>
              <Ordered account={id} title="Trainings that it ordered" />
            </>
          );
        }
        const audits = operator.auditsAnswered + operator.auditsMissed;
        const aside = <QueryLink document={OperatorRecordDocument} variables={variables} />;
        return (
          <>
            <PageHead kind="Operator" title={<Id hex={id} />}>
              {operator.slashed !== "0" && <Badge tone="wrong">Was slashed</Badge>}
              <Badge tone={operator.isActive ? "healthy" : "neutral"}>
                {operator.isActive ? "Active" : "Not registered"}
              </Badge>
              <span>{rolesOf(operator.roles)}</span>
            </PageHead>
            <Card title="Record" aside={aside}>
              <Stats>
                <Stat
                  name="At stake"
                  value={inTokens(operator.staked)}
                  note={`tokens, ${inTokens(operator.locked)} locked`}
                />
                <Stat name="Earned" value={inTokens(operator.earned)} note="tokens" />
                <Stat name="Lost" value={inTokens(operator.slashed)} note="tokens" />
                <Stat
                  name="Audits answered"
                  value={percent(operator.auditsAnswered, audits)}
                  note={`${operator.auditsAnswered} of ${audits}`}
                />
                <Stat
                  name="Jobs finished"
                  value={operator.jobsFinalised}
                  note={`${operator.jobsFailed} failed`}
                />
                <Stat name="Bundles held" value={countOf(operator.bundles.length)} />
              </Stats>
            </Card>
            <Columns>
              <Card title="What it is" aside={aside}>
                <Facts>
                  <Fact name="Account">
                    <Whole text={id} />
                  </Fact>
                  <Fact name="Peer id of its keeper">
                    {operator.peerId === null || operator.peerId === "0x" ? (
                      "–"
                    ) : (
                      <Whole text={peerIdText(operator.peerId as Hex)} />
                    )}
                  </Fact>
                  <Fact name="Found at">
                    {operator.endpoint === null || operator.endpoint === ""
                      ? "–"
                      : operator.endpoint.split(",").map((address) => (
                          <div key={address}>
                            <code>{address}</code>
                          </div>
                        ))}
                  </Fact>
                  <Fact name="Registered">
                    {operator.registeredAt === null ? (
                      "–"
                    ) : (
                      <In event={operator.events[0]}>
                        <Time at={operator.registeredAt} />
                      </In>
                    )}
                  </Fact>
                  <Fact name="Taken out of the stake">
                    <Amount units={operator.unbonded} />
                  </Fact>
                  <Fact name="Stake asked of it">
                    <Multiplier account={id} />
                  </Fact>
                  {operator.locks
                    .filter(({ amount }) => amount !== "0")
                    .map(({ module, amount }) => (
                      <Fact key={module} name={`Locked by ${contractAt(module)}`}>
                        <Amount units={amount} />
                      </Fact>
                    ))}
                </Facts>
              </Card>
              <Card title="Slashes" aside={aside}>
                {operator.slashes.length === 0 ? (
                  <EmptyState title="It never lost stake." />
                ) : (
                  <Table
                    caption="Slashes"
                    rows={operator.slashes}
                    keyOf={({ transaction, reason, amount }) => `${transaction}${reason}${amount}`}
                    columns={[
                      {
                        head: "What for",
                        cell: ({ reason, transaction }) => (
                          <Transaction hash={transaction}>{slashReason(reason)}</Transaction>
                        ),
                      },
                      { head: "When", cell: ({ timestamp }) => <Time at={timestamp} /> },
                      { head: "Lost", isNumber: true, cell: ({ amount }) => <Amount units={amount} /> },
                    ]}
                  />
                )}
              </Card>
            </Columns>
            <Columns>
              <OperatorJobs operator={variables.operator} />
              <OperatorBundles operator={variables.operator} />
            </Columns>
            <Ordered account={id} title="Trainings that it ordered" />
          </>
        );
      }}
    </Answered>
  );
}

/** What a job asks of its stake, by the contract itself: faults are forgiven with time, which no event tells. */
function Multiplier({ account }: { account: string }) {
  const { contracts } = useContracts();
  const { data, error } = useQuery({
    queryKey: ["multiplier", account],
    queryFn: () => contracts.JobRegistry.read.multiplierOf([account as Address]),
  });
  if (data === undefined) return error === null ? "–" : "the chain does not say";
  return timesUsual(data);
}
