import type { Contracts } from "../../chain/contracts.ts";
import { traceLength } from "../../core/exact/commitment.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import type { DescribedOrder } from "./compose-order.ts";

/** An order whose cost can be told. */
export type Priced = Pick<DescribedOrder, "order" | "training">;

/** The part of it that says what it costs. */
type Costly = {
  readonly order: {
    readonly conditions: Pick<
      DescribedOrder["order"]["conditions"],
      "deposit" | "committeeSize" | "checkFee"
    >;
  };
  readonly training: DescribedOrder["training"];
};

/**
 * Token base units that an order takes from the consumer when it is matched: the deposit and the committee's fees.
 *
 * @throws BadInputError when the training order cannot be read
 */
export async function costOf(contracts: Contracts, { order, training }: Costly): Promise<bigint> {
  const { deposit, committeeSize, checkFee } = order.conditions;
  if (committeeSize === 0) return deposit;
  const { steps, interval } = decodeOrder(training);
  const intervals = BigInt(traceLength(steps, interval) - 1);
  return deposit + (await contracts.Committee.read.feesFor([intervals, committeeSize, checkFee]));
}
