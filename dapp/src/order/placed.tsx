import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { type Hex, type Log, parseEventLogs } from "viem";
import { useLocation } from "wouter";
import { abis } from "../../../keepers/src/chain/abi/index.ts";
import { useContracts } from "../data/use-contracts.ts";
import { Notice } from "../ui/badge.tsx";
import { Button, ButtonLink } from "../ui/button.tsx";
import { Card, PageHead } from "../ui/card.tsx";
import { messageOf } from "../ui/message.ts";
import { Fact, Facts } from "../ui/stat.tsx";
import { Id, Transaction } from "../ui/values.tsx";

/** An order that is on the chain. */
export type PlacedOrder = {
  readonly way: "auction" | "direct";
  readonly hash: Hex;
  readonly orderHash: Hex;
  /** Whether the visitor was waiting for it: then the page goes on to its job. */
  readonly isWatched: boolean;
};

/** Milliseconds between two times that a receipt is asked for. */
const pause = 2_000;

/** The job that a transaction opened for an order; undefined when it opened none. */
export function jobOpenedIn(logs: readonly Log[], orderHash: Hex): bigint | undefined {
  const opened = parseEventLogs({ abi: abis.JobRegistry, eventName: "JobOpened", logs: [...logs] });
  return opened.find(({ args }) => args.orderHash === orderHash)?.args.jobId;
}

/**
 * What became of an order: it stands in place of the form, so that nobody orders twice while an endpoint lags. A receipt is
 * asked for until it is there.
 */
export function Placed({ placed, onAnother }: { placed: PlacedOrder; onAnother: () => void }) {
  const { way, hash, orderHash, isWatched } = placed;
  const { client } = useContracts();
  const [, navigate] = useLocation();
  const receipt = useQuery({
    queryKey: ["placed", hash],
    enabled: way === "auction",
    retry: true,
    retryDelay: pause,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () => client.getTransactionReceipt({ hash }),
  });
  const job = receipt.data && jobOpenedIn(receipt.data.logs, orderHash);
  const hasGone = useRef(false);
  useEffect(() => {
    if (job === undefined || !isWatched || hasGone.current) return;
    hasGone.current = true;
    navigate(`/jobs/${job}`);
  }, [job, isWatched, navigate]);
  return (
    <>
      <PageHead title="Your order is on the chain" />
      <Card title="Done">
        {way === "direct" ? (
          <Notice tone="healthy" title="All providers see your order">
            Nothing was taken from you yet: the price is, when somebody takes the order. Until then it stands
            under “My jobs and stake”, and afterwards its job does.
          </Notice>
        ) : job === undefined ? (
          <Notice tone="waiting" title="Its auction is open: asking the chain for the number of its job">
            You have paid, and need not order again.
            {receipt.failureReason !== null && (
              <p>The chain does not answer yet: {messageOf(receipt.failureReason)}</p>
            )}
          </Notice>
        ) : (
          <Notice tone="healthy" title={`Its auction is open, as job ${job}`} />
        )}
        <Facts>
          <Fact name="Order">
            <Id hex={orderHash} to={`/search/${orderHash}`} />
          </Fact>
          <Fact name="Transaction">
            <Transaction hash={hash} />
          </Fact>
        </Facts>
        <p>
          {job !== undefined && (
            <ButtonLink kind="main" to={`/jobs/${job}`}>
              {`To job ${job}`}
            </ButtonLink>
          )}{" "}
          <ButtonLink kind={way === "direct" ? "main" : "plain"} to="/mine">
            My jobs and stake
          </ButtonLink>{" "}
          <Button onClick={onAnother}>Order another training</Button>
        </p>
      </Card>
    </>
  );
}
