import { useQuery } from "@tanstack/react-query";
import { type Abi, decodeEventLog, decodeFunctionData, formatGwei, type Hex } from "viem";
import { useBlock, usePublicClient } from "wagmi";
import { abis, type ContractName } from "../../../keepers/src/chain/abi/index.ts";
import type { Deployment } from "../../../keepers/src/chain/deployment-format.ts";
import { useNetwork } from "../network/context.ts";
import { exactly } from "../ui/amounts.ts";
import { Badge } from "../ui/badge.tsx";
import { Card, PageHead } from "../ui/card.tsx";
import { Cost } from "../ui/cost.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { EmptyState, Failure, Skeleton } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { Account, Id, Time } from "../ui/values.tsx";
import { Whole } from "../ui/whole.tsx";
import { readTransaction } from "./transaction-state.ts";

/** Longest value of a parameter that is shown. */
const longestShown = 80;

function shown(value: unknown): string {
  const text =
    typeof value === "object" && value !== null
      ? JSON.stringify(value, (_, each) => (typeof each === "bigint" ? String(each) : each))
      : String(value);
  return text.length > longestShown ? `${text.slice(0, longestShown)}…` : text;
}

function contractAt(deployment: Deployment, address: string): ContractName | undefined {
  const found = Object.entries(deployment.addresses).find(
    ([, each]) => each?.toLowerCase() === address.toLowerCase(),
  );
  return found?.[0] as ContractName | undefined;
}

/** Milliseconds between two looks at a transaction that is in no block yet. */
const pause = 2_000;

type Said = { readonly key: string; readonly name: string; readonly parameters: string };

/** A transaction as the chain has it: what was called, what it cost, and what the contracts said. */
export default function TransactionPage({ hash }: { hash: Hex }) {
  const { deployment, explorer } = useNetwork();
  const client = usePublicClient()!;
  const found = useQuery({
    queryKey: ["transaction", hash],
    queryFn: () => readTransaction(client, hash),
    refetchInterval: ({ state: { data } }) => data !== undefined && data.kind !== "there" && pause,
  });
  const state = found.data;
  const block = useBlock({
    blockNumber: state?.kind === "there" ? state.receipt.blockNumber : undefined,
    query: { enabled: state?.kind === "there" },
  });
  if (state === undefined) {
    return found.error === null ? (
      <Skeleton lines={6} />
    ) : (
      <Failure
        what="The transaction could not be read"
        error={found.error}
        retry={() => void found.refetch()}
      />
    );
  }
  if (state.kind !== "there") return <Awaited hash={hash} kind={state.kind} />;
  const { from, to, input, value } = state.transaction;
  const { status, gasUsed, effectiveGasPrice, logs, blockNumber } = state.receipt;
  const contract = to === null ? undefined : contractAt(deployment, to);
  const said: Said[] = logs.flatMap((log) => {
    const name = contractAt(deployment, log.address);
    if (name === undefined) return [];
    try {
      const { eventName, args } = decodeEventLog({
        abi: abis[name] as Abi,
        topics: log.topics,
        data: log.data,
      });
      const parameters = Object.entries((args ?? {}) as Record<string, unknown>);
      return [
        {
          key: String(log.logIndex),
          name: `${name}.${eventName}`,
          parameters: parameters.map(([key, each]) => `${key} ${shown(each)}`).join(" · "),
        },
      ];
    } catch {
      return [];
    }
  });
  return (
    <>
      <PageHead kind="Transaction" title={<Id hex={hash} />}>
        <Badge tone={status === "success" ? "healthy" : "wrong"}>
          {status === "success" ? "Done" : "Refused"}
        </Badge>
        {block.data !== undefined && <Time at={block.data.timestamp} />}
        {explorer !== undefined && (
          <a href={`${explorer}/tx/${hash}`} target="_blank" rel="noreferrer">
            In the block explorer ↗
          </a>
        )}
      </PageHead>
      <Card title="What was called">
        <Facts>
          <Fact name="Transaction">
            <Whole text={hash} />
          </Fact>
          <Fact name="From">
            <Account address={from} />
          </Fact>
          <Fact name="To">{contract ?? (to === null ? "a new contract" : <Id hex={to} />)}</Fact>
          <Fact name="Call">
            <code>{contract === undefined ? input.slice(0, 10) : callOf(contract, input)}</code>
          </Fact>
          <Fact name="Sent with it">{exactly(value)} ETH</Fact>
          <Fact name="Block">{blockNumber.toLocaleString("en")}</Fact>
          <Fact name="Gas">
            {gasUsed.toLocaleString("en")} at {formatGwei(effectiveGasPrice)} gwei:{" "}
            <Cost wei={gasUsed * effectiveGasPrice} />
          </Fact>
        </Facts>
      </Card>
      <Card title="What the contracts said">
        {said.length === 0 ? (
          <EmptyState title="Nothing: it emitted no event of these contracts." />
        ) : (
          <Table
            caption="Events"
            rows={said}
            keyOf={({ key }) => key}
            columns={[
              { head: "Event", cell: ({ name }) => <code>{name}</code> },
              { head: "Parameters", cell: ({ parameters }) => <code>{parameters}</code> },
            ]}
          />
        )}
      </Card>
    </>
  );
}

/** A transaction that is in no block: the page looks again until it is. */
function Awaited({ hash, kind }: { hash: Hex; kind: "unknown" | "waiting" }) {
  return (
    <>
      <PageHead kind="Transaction" title={<Id hex={hash} />}>
        <Badge tone="waiting">{kind === "waiting" ? "Waiting for its block" : "Not seen yet"}</Badge>
      </PageHead>
      <EmptyState
        title={
          kind === "waiting"
            ? "It was sent, and is in no block yet."
            : "The chain knows no transaction of this name, or does not know it yet."
        }
      >
        <Whole text={hash} />
        <p>This page goes on by itself when it is there.</p>
      </EmptyState>
    </>
  );
}

function callOf(contract: ContractName, data: Hex): string {
  try {
    const { functionName, args = [] } = decodeFunctionData({ abi: abis[contract] as Abi, data });
    return `${functionName}(${args.map(shown).join(", ")})`;
  } catch {
    return data.slice(0, 10);
  }
}
