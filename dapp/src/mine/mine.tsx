import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { Address } from "viem";
import { useConnection } from "wagmi";
import { runner } from "../act/runner.ts";
import { Answered } from "../data/answered.tsx";
import { useContracts } from "../data/use-contracts.ts";
import { useNetwork } from "../network/context.ts";
import { Ordered } from "../pages/parts/ordered.tsx";
import { ButtonLink } from "../ui/button.tsx";
import { Columns, PageHead, Stack } from "../ui/card.tsx";
import { EmptyState } from "../ui/states.tsx";
import { Id } from "../ui/values.tsx";
import { CapacityCard } from "./capacity-card.tsx";
import { Credits } from "./credits.tsx";
import { KeeperHealth } from "./keeper-health.tsx";
import { OperatorCard } from "./operator-card.tsx";
import { PostedOrders } from "./posted-orders.tsx";
import { readAccount } from "./read-operator.ts";
import type { ActionParts } from "./stake-actions.ts";
import { WorkCards } from "./work-cards.tsx";

/** What belongs to the connected account: its jobs as a consumer, its stake and earnings as an operator. */
export default function Mine() {
  const { address } = useConnection();
  if (address === undefined) {
    return (
      <>
        <PageHead title="My jobs and stake" />
        <EmptyState title="Connect a wallet to see what is yours." />
      </>
    );
  }
  return <Of key={address} account={address} />;
}

function Of({ account }: { account: Address }) {
  const { deployment } = useNetwork();
  const reading = useContracts();
  const queries = useQueryClient();
  const state = useQuery({
    queryKey: ["account", account],
    queryFn: () => readAccount(reading.contracts, deployment, account),
    refetchInterval: 5_000,
  });
  const parts: ActionParts = {
    ...reading,
    deployment,
    account,
    done: () => void queries.invalidateQueries(),
  };
  return (
    <>
      <PageHead title="My jobs and stake">
        <Id hex={account} to={`/operators/${account.toLowerCase()}`} />
        <ButtonLink kind="main" to="/order">
          Order a training
        </ButtonLink>
      </PageHead>
      <Ordered
        account={account}
        title="Trainings that I ordered"
        none="This account has ordered nothing yet."
      />
      <PostedOrders account={account} />
      <Answered answer={state} what="The account could not be read">
        {(known) => (
          <Columns>
            <OperatorCard state={known} parts={parts} onAction={(action) => runner.begin(action)} />
            <Stack>
              <Credits state={known} parts={parts} onAction={(action) => runner.begin(action)} />
              {known.operator.active && <CapacityCard state={known} parts={parts} />}
            </Stack>
          </Columns>
        )}
      </Answered>
      <WorkCards account={account} />
      <KeeperHealth />
    </>
  );
}
