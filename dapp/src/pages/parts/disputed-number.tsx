import { useQuery } from "@tanstack/react-query";
import { decodeFunctionData, type Hex } from "viem";
import { usePublicClient } from "wagmi";
import { disputeGameAbi } from "../../../../keepers/src/chain/abi/dispute-game.ts";
import type { RuledElement } from "../../../../keepers/src/training/dispute/ruled-element.ts";
import { Transaction } from "../../ui/values.tsx";
import styles from "./dispute.module.css";
import { type HistoryEvent, parametersOf } from "./job-events.ts";

/** The move of a transaction of the game, read and computed again. */
async function ruling(input: Hex): Promise<RuledElement | null> {
  const { functionName, args } = decodeFunctionData({ abi: disputeGameAbi, data: input });
  if (functionName !== "play") return null;
  const { ruledElement } = await import("../../../../keepers/src/training/dispute/ruled-element.ts");
  return ruledElement(args[2]) ?? null;
}

/** What a mantissa and an exponent stand for, in decimal. */
function decimal(mantissa: bigint, exponent: number): string {
  return (Number(mantissa) * 2 ** exponent).toPrecision(8);
}

/** The two numbers that differed: what the provider committed to, and what the operands give. */
export function DisputedNumber({
  challenge,
  events,
}: {
  challenge: string;
  events: readonly HistoryEvent[];
}) {
  const client = usePublicClient();
  const convicted = events.find(
    (event) =>
      event.contract === "DisputeGame" &&
      event.name === "ProviderConvicted" &&
      parametersOf<{ challengeId: string }>(event).challengeId === challenge,
  );
  const ruled = useQuery({
    queryKey: ["ruling", convicted?.transaction],
    enabled: convicted !== undefined && client !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async () => {
      const { input } = await client!.getTransaction({ hash: convicted!.transaction as Hex });
      return ruling(input);
    },
  });
  if (convicted === undefined || ruled.data === undefined || ruled.data === null) return null;
  const { opcode, step, element, exponent, claimed, computed } = ruled.data;
  return (
    <figure className={styles.numbers}>
      <figcaption>
        Element {element.toLocaleString("en")} of the tensor, after step {step} (<code>{opcode}</code>)
      </figcaption>
      <dl className={styles.pair}>
        <div className={styles.claimed}>
          <dt>The provider said</dt>
          <dd>{claimed.toLocaleString("en")}</dd>
          <dd className={styles.decimal}>
            · 2<sup>{exponent}</sup> = {decimal(claimed, exponent)}
          </dd>
        </div>
        <div className={styles.computed}>
          <dt>It is</dt>
          <dd>{computed.toLocaleString("en")}</dd>
          <dd className={styles.decimal}>
            · 2<sup>{exponent}</sup> = {decimal(computed, exponent)}
          </dd>
        </div>
      </dl>
      <p className={styles.note}>
        Computed again in this browser from the operands in{" "}
        <Transaction hash={convicted.transaction}>the ruling</Transaction>, as the contract did.
      </p>
    </figure>
  );
}
