import { useQuery } from "@tanstack/react-query";
import { Answered } from "../data/answered.tsx";
import { Card } from "../ui/card.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { Amount } from "../ui/values.tsx";
import { capacityOf, readTerms } from "./capacity.ts";
import type { AccountState } from "./read-operator.ts";
import type { ActionParts } from "./stake-actions.ts";

const [storage, provider] = [1 << 0, 1 << 1];

/** How much more work the stake can stand for. */
export function CapacityCard({ state, parts }: { state: AccountState; parts: ActionParts }) {
  const { contracts, account } = parts;
  const { stake, locked, roles } = state.operator;
  const terms = useQuery({
    queryKey: ["terms of work", account],
    queryFn: () => readTerms(contracts, account),
    refetchInterval: 30_000,
  });
  return (
    <Card title="Room for more work">
      <Answered answer={terms} what="What work asks of the stake could not be read">
        {(known) => {
          const { bundles, jobs, leastStake, highestPrice } = capacityOf(stake - locked, known);
          return (
            <Facts>
              <Fact name="Free stake">
                <Amount units={stake - locked} />
              </Fact>
              {(roles & storage) !== 0 && (
                <Fact name="Bundles">
                  {bundles.toLocaleString("en")} more: each locks <Amount units={known.bundleStake} />
                </Fact>
              )}
              {(roles & provider) !== 0 && (
                <>
                  {jobs !== undefined && (
                    <Fact name="Jobs">
                      {jobs.toLocaleString("en")} more at once: each locks <Amount units={leastStake} /> at
                      least
                    </Fact>
                  )}
                  {highestPrice !== undefined && (
                    <Fact name="Price of the next job, at most">
                      <Amount units={highestPrice} />; a tenth of its deposit is locked beside the stake,
                      until the result is there
                    </Fact>
                  )}
                  <Fact name="Stake asked of a job">
                    {Number(known.multiplier) / 100} times the usual
                    {known.multiplier === 100n ? "" : ", after faults that still count"}
                  </Fact>
                </>
              )}
            </Facts>
          );
        }}
      </Answered>
    </Card>
  );
}
