import { useQuery } from "@tanstack/react-query";
import type { Address } from "viem";
import { quoted, readFeedUnit } from "../../data/price-feed.ts";
import { useContracts } from "../../data/use-contracts.ts";
import { Amount } from "../../ui/values.tsx";

/** A price that an order or a bid names: in tokens, or in what the order's price feed counts in. */
export function Quote({ price, feed }: { price: string; feed: string | null }) {
  return feed === null ? <Amount units={price} /> : <InFeedUnits price={price} feed={feed} />;
}

function InFeedUnits({ price, feed }: { price: string; feed: string }) {
  const { contracts, client } = useContracts();
  const unit = useQuery({
    queryKey: ["price feed", feed],
    queryFn: () => readFeedUnit(client, contracts, feed as Address),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  const { amount, unit: name } = quoted(BigInt(price), unit.data);
  return (
    <span title={`${price} units of the price feed ${feed}`}>
      {amount} {name}
    </span>
  );
}
